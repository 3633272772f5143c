"""The lease API as a client: what a run worker says to the server."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from pydantic import BaseModel

from contract.leases import (
    BLOB_ADDRESS,
    DRAINING,
    TOO_SMALL,
    Finish,
    HeldLease,
    HeldLeases,
    Lease,
    LostLeases,
    Measured,
    Release,
    SlotState,
    StoredOutput,
    WakeUpMark,
)
from evaluator.terminal import in_line
from evaluator.verdicts import PlatformFault
from sandbox.gpu import found
from sandbox.jobs import CaseOutcome
from worker.run.bearer import Bearer
from worker.run.config import RunConfig
from worker.run.direct import DirectStore, StoreFailed
from worker.run.offer import facts_of, offer_of
from worker.run.patience import PatientClient
from worker.run.received import Received

_log = structlog.get_logger()
_MOST_SAID = 2000
_MOST_CONFIG = 64 * 2**20
_ON_ITS_WAY = 15.0  # seconds beyond those that an answer is held for
_PATIENCE, _LONGEST_PATIENCE = 5.0, 120.0


class LeaseLost(Exception):
    """The server says that the case is not ours any more: stop it and throw its output away."""


class Damaged(Exception):
    """A download did not have the digest it was announced with."""


class NoLeaseYet(Exception):
    """The server has nothing for this slot before so many seconds have passed; the text says why."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class LeaseClient:
    """The calls of one slot. Connection failures raise httpx.TransportError; the caller decides what they mean."""

    def __init__(self, config: RunConfig, slot: str) -> None:
        self._slot_gpu, self._gpu = config.slot_gpu, found(config.slot_gpu)
        self._runs_on = config.runs_on
        self._offer = offer_of(config, slot, self._gpu)
        self._draining: str | None = None
        self._unfitting: str | None = None
        token = config.worker_token
        self.bearer = Bearer(token.get_secret_value() if token else None, config.worker_token_file)
        self._http = PatientClient(
            base_url=config.server_url.rstrip("/") + "/api/v1/worker",
            auth=self.bearer,
            timeout=httpx.Timeout(30, read=120),
        )
        self._store = DirectStore(config.blobs_origin)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()
        self._store.close()

    def greet(self) -> None:
        """Shows the token, so that one which is refused is noticed before anything else is done."""
        self._http.get("/me")

    def lease(self) -> Lease | None:
        """The next case for this slot, or None.

        Raises:
            NoLeaseYet: the slot holds as much as it may, has a pause, or is one too many.
        """
        response = self._http.post("/leases", json=_json(self._offer))
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise _not_now(response)
        response.raise_for_status()
        self._note_draining(response.headers.get(DRAINING))
        self._note_unfitting(response.headers.get(TOO_SMALL))
        return None if response.status_code == 204 else Lease.model_validate_json(response.content)

    def wake_up(self, mark: str | None, seconds: float) -> str:
        """Returns when cases may wait, at the latest after so many seconds: with the mark for the next call.

        mark: that of the call before; what came to wait since is told at once.
        """
        asked = {"seconds": str(seconds)} if mark is None else {"seconds": str(seconds), "mark": mark}
        wait = httpx.Timeout(30, read=seconds + _ON_ITS_WAY)
        response = self._http.get("/wake-ups", params=asked, timeout=wait)
        response.raise_for_status()
        return WakeUpMark.model_validate_json(response.content).mark

    def _note_draining(self, why: str | None) -> None:
        """Says in the log when the slot begins to drain, and when it is resumed."""
        if why != self._draining:
            self._draining = why
            _log.warning("slot_drains", why=in_line(why[:500])) if why else _log.info("slot_resumed")

    def _note_unfitting(self, why: str | None) -> None:
        """Says once in the log that what waits fits no slot, and again where it needs something else."""
        if why is not None and why != self._unfitting:
            self._unfitting = why
            _log.warning("cases_fit_no_slot", why=in_line(why[:500]))

    def look_at_gpu(self) -> None:
        """Has the driver asked anew for what offers and receipts say of the slot's GPU: it answers again."""
        self._gpu = found(self._slot_gpu)
        if self._gpu is not None:
            self._offer = self._offer.model_copy(update=facts_of(self._gpu))

    def offer(self, runtimes: Sequence[str]) -> None:
        """The container runtimes that lease requests name from now on."""
        self._offer = self._offer.model_copy(update={"runtimes": tuple(runtimes)})

    def report(self, unfit: str | None) -> None:
        """Says why this slot takes no work, or with None that it does; a server that cannot note it is older."""
        self._say_of_slot({"unfit": unfit})

    def report_examining(self) -> None:
        """Says that this slot takes no work yet, for its host is being examined; `report` says when that has ended."""
        self._say_of_slot({"unfit": None, "examining": True})

    def _say_of_slot(self, said: Mapping[str, Any]) -> None:
        name = quote(self._offer.name, safe="")
        response = self._http.put(f"/slots/{name}", json=_json(SlotState.model_validate(said)))
        if response.status_code not in (404, 405):
            response.raise_for_status()

    def heartbeat(self, leases: Sequence[Lease]) -> set[str]:
        """Renews the leases; the names of those that are gone."""
        held = [HeldLease(case_run=lease.case_run, claim_no=lease.claim_no) for lease in leases]
        response = self._http.post("/heartbeat", json=_json(HeldLeases(leases=held)), timeout=10)
        response.raise_for_status()
        return {lease.name for lease in LostLeases.model_validate_json(response.content).lost}

    def finish(
        self,
        lease: Lease,
        outcome: CaseOutcome,
        output: str | None,
        *,
        wait_seconds: float,
        notes: Mapping[str, Any] | None = None,
        repeat_agrees: bool | None = None,
    ) -> None:
        """Settles the case with its verdict; `notes` are further lines of its receipt.

        repeat_agrees: whether a container of its own gave the answer that one for several gave, if it was asked.
        """
        verdict = outcome.verdict
        measured = Measured(
            seconds=outcome.seconds,
            cpu_seconds=outcome.cpu_seconds,
            peak_memory_bytes=outcome.peak_memory_bytes,
            gpu_memory_bytes=outcome.gpu_memory_bytes,
            wait_seconds=round(wait_seconds, 3),
        )
        finish = Finish(
            **dict(measured),
            fault=verdict.fault,
            check=verdict.check,
            message=verdict.message[:1000],
            detail=outcome.detail[:1000],
            warnings=[warning[:500] for warning in verdict.warnings[:20]],
            output=output,
            repeat_agrees=repeat_agrees,
            log=outcome.log,
            receipt={
                "worker": self._offer.name,
                **self._runs_on,
                "exit_code": outcome.exit_code,
                "oom_killed": outcome.oom_killed,
                "options": outcome.options,
                **({"gpu": asdict(self._gpu)} if self._gpu else {}),
                **dict(measured),  # as this host says; what the server believes may be less
                **(notes or {}),
            },
        )
        self._call("POST", lease, "finish", json=_json(finish))

    def put_output(self, lease: Lease, output: bytes) -> str:
        """Uploads the canonical output; returns its digest."""
        response = self._call("PUT", lease, "output", content=output)
        return StoredOutput.model_validate_json(response.content).digest

    def release(self, lease: HeldLease, fault: PlatformFault | None, detail: str = "") -> None:
        """Puts the case back: a platform fault and what is known of it, or None when this worker is stopping."""
        self._call("POST", lease, "release", json=_json(Release(fault=fault, detail=detail[:_MOST_SAID])))

    def fetch_input(self, lease: Lease, key: str, target: Path) -> None:
        """Downloads one input, from a copy in the store where this host may ask it.

        Raises:
            Damaged: it does not have the announced digest.
        """
        file = lease.inputs[key]
        self._fetch(lease, f"inputs/{key}", target, file.sha256, file.size)

    def fetch_blob(self, lease: Lease, digest: str, target: Path) -> None:
        """Downloads a layer or the config of the image, from the store itself where this host may ask it.

        Raises:
            Damaged: it does not have this digest.
        """
        sha256 = digest.removeprefix("sha256:")
        self._fetch(lease, f"blobs/{digest}", target, sha256, _largest(lease, digest))

    def _fetch(self, lease: Lease, what: str, target: Path, sha256: str, limit: int) -> None:
        """Brings a file from wherever the server says; where the store fails, from the server."""
        address = self._download(lease, what, target, sha256, direct=self._store.is_open)
        if address is None:
            return
        try:
            self._store.fetch(address, target, sha256, limit)
        except StoreFailed as failed:
            _log.warning("not_from_store", what=what, why=in_line(str(failed)[:500]))
            self._download(lease, what, target, sha256)

    def _call(self, method: str, lease: HeldLease, what: str, **arguments: Any) -> httpx.Response:
        response = self._http.request(
            method, f"/leases/{lease.case_run}/{what}", params={"claim_no": lease.claim_no}, **arguments
        )
        if response.status_code == 409:
            raise LeaseLost(lease.name)
        response.raise_for_status()
        return response

    def _download(
        self, lease: Lease, what: str, target: Path, sha256: str, *, direct: bool = False
    ) -> str | None:
        """Brings a file; with `direct` the server may answer instead where it lies, which is returned then."""
        url, params = f"/leases/{lease.case_run}/{what}", {"claim_no": str(lease.claim_no)}
        asked = params | {"direct": "true"} if direct else params
        with self._http.stream("GET", url, params=asked) as response, Received(target) as received:
            if response.status_code == 409:
                raise LeaseLost(lease.name)
            if response.is_error:
                response.read()  # for whoever wants to know why
            if direct and response.status_code == httpx.codes.NO_CONTENT:
                return str(response.headers.get(BLOB_ADDRESS, ""))
            response.raise_for_status()
            for chunk in _chunks(response):
                received.write(chunk)
            if not received.keep(sha256):
                raise Damaged(what)
        return None


def _largest(lease: Lease, digest: str) -> int:
    """The bytes that a blob of the leased case's image may have: a layer as many as were checked, the config few."""
    sizes = dict(zip(lease.image.layers, lease.image.layer_sizes, strict=True))
    return sizes.get(digest, _MOST_CONFIG)


def said_by(response: httpx.Response) -> str:
    """The sentence of the server's refusal; empty where it gave none."""
    try:
        body = response.json()
    except (ValueError, httpx.ResponseNotRead):
        return ""
    return str(body.get("detail", ""))[:_MOST_SAID] if isinstance(body, dict) else ""


def _json(body: BaseModel) -> Any:
    return body.model_dump(mode="json")


def _not_now(response: httpx.Response) -> NoLeaseYet:
    wait = response.headers.get("Retry-After", "")
    seconds = float(wait) if wait.isdecimal() else _PATIENCE
    return NoLeaseYet(said_by(response), min(max(seconds, 1.0), _LONGEST_PATIENCE))


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    return response.iter_raw(1 << 20)
