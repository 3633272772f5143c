"""The seam between a slot and the server: a lease API that hands out given cases and notes what becomes of them."""

import hashlib
import http.server
import re
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from contract.leases import (
    CaseLease,
    Finish,
    HeldLease,
    HeldLeases,
    InputFile,
    Lease,
    LostLeases,
    Release,
    SlotOffer,
    SlotState,
    StoredOutput,
    WakeUpMark,
)
from contract.statuses import Mode
from evaluator.spec import Challenge, Limits
from tests.facts import image_facts

_CALL = re.compile(r"/api/v1/worker/leases/([0-9a-f-]+)/(\w+)(?:/([\w:]+))?\?claim_no=1")


class LeaseServer:
    """What waits, and what was done; every case is on task 5, whose output is one number."""

    def __init__(self, challenge: Challenge, limits: Limits, image: str) -> None:
        self._task, self._limits = challenge.tasks["task5"], limits
        self.waiting: deque[Lease] = deque()
        self.url = ""
        self.facts = image_facts(image)
        self.inputs: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.fetched: Counter[str] = Counter()
        self.outputs: dict[str, bytes] = {}
        self.leased: dict[str, float] = {}
        self.finished: dict[str, Finish] = {}
        self.ended: dict[str, float] = {}
        self.released: dict[str, str | None] = {}
        self.details: dict[str, str] = {}
        self.renewed: Counter[str] = Counter()
        self.beats, self.nonsense = 0, b""
        self.lost: set[str] = set()
        self.failures = self.fetch_failures = self.not_now = self.full = 0
        self.slots: list[SlotOffer] = []
        self.lease_seconds = 30.0
        self.tokens: set[str] | None = None  # those that are let in; all of them if None
        self.shown: list[str] = []
        self.unfit: dict[str, str | None] = {}
        self.wakes = True
        self.asked_to_wake = 0
        self._added = threading.Condition()
        self._count = 0

    def add(
        self,
        *tracks: str,
        data: bytes = b"a scan",
        mode: str = "",
        evaluation: int = 0,
        repeat: int = 0,
        **limits: Any,
    ) -> list[str]:
        """One lease of as many cases as there are tracks, the first one's being for all; their ids.

        repeat: so many of them, the first ones, are to be run fresh as well.
        """
        ids = [str(uuid.uuid4()) for _ in tracks]
        self.inputs |= dict.fromkeys(ids, data)
        scan = InputFile(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        first, *more = (
            CaseLease(
                case_run=uuid.UUID(number),
                claim_no=1,
                pseudonym="case",
                inputs={"t1w": scan},
                repeat=position < repeat,
            )
            for position, number in enumerate(ids)
        )
        lease = Lease(
            **dict(first),
            lease_seconds=self.lease_seconds,
            evaluation=uuid.UUID(int=evaluation or len(tracks)),
            task_name="task5",
            track=tracks[0],
            task=self._task,
            limits=self._limits.model_copy(update=limits),
            image=self.facts,
            mode=Mode(mode or ("packed" if more else "fresh")),
            more=tuple(more),
        )
        self.waiting.append(lease)
        with self._added:
            self._count += 1
            self._added.notify_all()
        return ids

    def hold(self, mark: str | None, seconds: float) -> bytes:
        """A wake-up: when something was added since the mark, or after so many seconds."""
        with self._added:
            self.asked_to_wake += 1
            self._added.wait_for(lambda: str(self._count) != mark, seconds)
            return WakeUpMark(mark=str(self._count)).model_dump_json().encode()

    def lease(self, slot: SlotOffer) -> Lease | None:
        self.slots.append(slot)
        if not self.waiting:
            return None
        lease = self.waiting.popleft()
        for case in lease.each():
            self.leased[str(case.case_run)] = time.monotonic()
        return lease

    def beat(self, leases: list[HeldLease]) -> bytes:
        """Notes that leases were to be renewed; the answer, which names the lost ones."""
        self.beats += 1
        if self.nonsense:
            return self.nonsense
        self.renewed.update({str(lease.case_run) for lease in leases} - self.lost)
        lost = [lease for lease in leases if str(lease.case_run) in self.lost]
        return LostLeases(lost=lost).model_dump_json().encode()

    def outstanding(self) -> int:
        """Cases that are leased and neither finished nor put back."""
        return len(self.leased.keys() - self.finished.keys() - self.released.keys())

    def wait(self, *cases: str, seconds: float = 60) -> list[Finish]:
        """What was said of the cases, once they are finished."""
        deadline = time.monotonic() + seconds
        while not self.finished.keys() >= set(cases):
            assert time.monotonic() < deadline, (self.finished, self.released)
            time.sleep(0.02)
        return [self.finished[case] for case in cases]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lab: LeaseServer

    def do_POST(self) -> None:
        body = self._body()
        if self._is_refused():
            return
        if self.path.endswith("/leases") and self.lab.not_now:
            self.lab.not_now -= 1
            self._say(429, b'{"status":429,"code":"slot_is_full","detail":"This slot is full."}', "1")
            return
        if self.path.endswith("/leases"):
            lease = self.lab.lease(SlotOffer.model_validate_json(body))
            self._say(204) if lease is None else self._say(200, lease.model_dump_json().encode())
            return
        if self.path.endswith("/heartbeat"):
            self._say(200, self.lab.beat(HeldLeases.model_validate_json(body).leases))
            return
        case, what, _ = self._call()
        if case in self.lab.lost:
            self._say(409)
            return
        if what == "finish" and self.lab.failures:
            self.lab.failures -= 1
            self._say(503)
            return
        if what == "finish":
            self.lab.finished[case] = Finish.model_validate_json(body)
            self.lab.ended[case] = time.monotonic()
        elif what == "release":
            said = Release.model_validate_json(body)
            self.lab.released[case], self.lab.details[case] = said.fault, said.detail
        self._say(204)

    def do_GET(self) -> None:
        if self._is_refused():
            return
        if self.path.endswith("/worker/me"):
            self._say(200, b"{}")
            return
        address = urlsplit(self.path)
        if address.path.endswith("/wake-ups"):
            asked = parse_qs(address.query)
            if self.lab.wakes:
                told = self.lab.hold(asked.get("mark", [None])[0], float(asked["seconds"][0]))
                with suppress(BrokenPipeError):  # who asked has ended meanwhile
                    self._say(200, told)
            else:
                self._say(404, b"{}")
            return
        case, _, name = self._call()
        if name in self.lab.blobs:
            self.lab.fetched[name] += 1
            self._say(200, self.lab.blobs[name])
            return
        self.lab.fetched[case] += 1
        if self.lab.fetch_failures:
            self.lab.fetch_failures -= 1
            self._say(503)
            return
        if case not in self.lab.inputs:
            self._say(500, b'{"status":500,"code":"data_missing"}')
            return
        self._say(200, self.lab.inputs[case])

    def do_PUT(self) -> None:
        body = self._body()
        if self._is_refused():
            return
        if "/worker/slots/" in self.path:
            self.lab.unfit[self.path.rpartition("/")[2]] = SlotState.model_validate_json(body).unfit
            self._say(204)
            return
        if self.lab.full:
            self.lab.full -= 1
            self._say(507, b'{"status":507,"code":"storage_full"}')
            return
        if (called := _CALL.fullmatch(self.path)) is not None:
            self.lab.outputs[called[1]] = body
        stored = StoredOutput(digest=hashlib.sha256(body).hexdigest())
        self._say(201, stored.model_dump_json().encode())

    def _call(self) -> tuple[str, str, str]:
        match = _CALL.fullmatch(self.path)
        assert match is not None, self.path
        return match[1], match[2], match[3] or ""

    def _is_refused(self) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.lab.shown.append(token)
        if self.lab.tokens is None or token in self.lab.tokens:
            return False
        self._say(401, b'{"status":401,"code":"invalid_token"}')
        return True

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _say(self, status: int, body: bytes = b"", retry_after: str = "") -> None:
        self.send_response(status)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def serving(lab: LeaseServer) -> Iterator[LeaseServer]:
    """The lease API at `lab.url` for as long as the block runs."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"lab": lab}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    lab.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield lab
    finally:
        server.shutdown()
        server.server_close()
