"""A challenge with cases and images in place, and run workers that speak the lease API and run nothing."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import func, update

from contract.leases import Finish, HeldLease, HeldLeases, Lease, LostLeases, Release, SlotOffer, StoredOutput
from server.accounts.tokens import create_worker_token
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.models import IN_FORCE, Case, Dataset
from server.evaluations import faults
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.images.models import Image
from server.leaderboard.keeping import work_out
from server.settings import Settings
from tests.facts import image_facts

Json = dict[str, Any]
GIB = 2**30
LARGE = {"cpus": 64, "memory": 256 * GIB, "gpus": 1, "gpu_memory": 141 * GIB, "gpu_model": "NVIDIA H200"}


@dataclass(frozen=True)
class FakeWorker:
    """One slot of a run worker: every call of the lease API, by hand.

    With `sessions`, a case that it finishes was leased for as long as it says: time passes at once.
    """

    http: httpx.Client
    name: str
    offer: Json = field(default_factory=lambda: LARGE)
    sessions: SessionFactory | None = None

    def lease(self) -> Json | None:
        offer = SlotOffer.model_validate({"name": self.name, **self.offer}).model_dump(mode="json")
        answer = self.http.post("/worker/leases", json=offer)
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 204:
            return None
        Lease.model_validate_json(answer.text)
        return dict(answer.json())

    def take(self) -> Json:
        """A lease that there has to be."""
        lease = self.lease()
        assert lease is not None, "no case waits"
        return lease

    def call(self, method: str, lease: Json, what: str, **arguments: Any) -> httpx.Response:
        address = f"/worker/leases/{lease['case_run']}/{what}"
        seconds = arguments.get("json", {}).get("seconds")
        if what == "finish" and isinstance(seconds, int | float) and self.sessions is not None:
            self._let_pass(lease, seconds)
        return self.http.request(method, address, params={"claim_no": lease["claim_no"]}, **arguments)

    def _let_pass(self, lease: Json, seconds: float) -> None:
        if self.sessions is not None and 0 < seconds < 1e6:
            earlier = CaseRun.started_at - timedelta(seconds=seconds)
            with unit_of_work(self.sessions) as session:
                own = CaseRun.id == UUID(lease["case_run"]), CaseRun.claim_no == lease["claim_no"]
                session.execute(update(CaseRun).where(*own).values(started_at=earlier))

    def heartbeat(self, lease: Json) -> int:
        """204 if the lease goes on, 409 if it is lost."""
        return 409 if self.heartbeats(lease) else 204

    def heartbeats(self, *leases: Json) -> list[tuple[str, int]]:
        """Renews leases; case run and claim_no of those that are lost."""
        held = HeldLeases(leases=[HeldLease.model_validate(lease) for lease in leases])
        answer = self.http.post("/worker/heartbeat", json=held.model_dump(mode="json"))
        assert answer.status_code == 200, answer.text
        lost = LostLeases.model_validate_json(answer.text).lost
        return [(str(lease.case_run), lease.claim_no) for lease in lost]

    def output(self, lease: Json, content: bytes = b"0.5\n") -> str:
        answer = self.call("PUT", lease, "output", content=content)
        assert answer.status_code == 201, answer.text
        return StoredOutput.model_validate_json(answer.text).digest

    def finish(
        self,
        lease: Json,
        *,
        fault: str | None = None,
        check: str | None = None,
        message: str = "As the test says.",
    ) -> httpx.Response:
        body = Finish.model_validate(
            {
                "fault": fault,
                "check": check,
                "message": message,
                "seconds": 1.5,
                "output": self.output(lease) if fault is None else None,
            }
        )
        return self.call("POST", lease, "finish", json=body.model_dump(mode="json"))

    def release(self, lease: Json, fault: str | None = None, detail: str = "") -> int:
        body = Release.model_validate({"fault": fault, "detail": detail}).model_dump(mode="json")
        return self.call("POST", lease, "release", json=body).status_code

    def drain(self, **verdict: Any) -> int:
        """Runs cases until none waits, all with one verdict; returns how many."""
        count = 0
        while (lease := self.lease()) is not None:
            assert self.finish(lease, **verdict).status_code == 204
            count += 1
        return count


@dataclass(frozen=True)
class Entrant:
    """A team with an image that passed its check."""

    http: httpx.Client
    slug: str
    team: str
    image: str

    def post(self, *tasks: str, key: str | None = None, **changes: str) -> httpx.Response:
        body = {"track": "open", "phase": "validation", "images": dict.fromkeys(tasks, self.image)} | changes
        headers = {"Idempotency-Key": key or uuid4().hex}
        return self.http.post(f"/challenges/{self.slug}/submissions", json=body, headers=headers)

    def submit(self, task: str = "task5", **changes: str) -> str:
        """A submission on one task; its evaluation's id."""
        answer = self.post(task, **changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["evaluations"][0]["id"])

    def evaluation(self, evaluation: str) -> Json:
        answer = self.http.get(f"/evaluations/{evaluation}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def quota(self, task: str = "task5", *, track: str = "open", phase: str = "validation") -> Json:
        rows = self.http.get(f"/challenges/{self.slug}/quota").json()
        return next(one for one in rows if (one["task"], one["track"], one["phase"]) == (task, track, phase))


@dataclass(frozen=True)
class Lab:
    """The challenge `slug` and what tests need around it."""

    sessions: SessionFactory
    settings: Settings
    slug: str
    clients: Callable[[str | None], httpx.Client]

    def worker(self, name: str = "fake", **offer: Any) -> FakeWorker:
        with unit_of_work(self.sessions) as session:
            token = create_worker_token(session, f"host-{uuid4().hex[:8]}")
        return FakeWorker(self.clients(token), f"{name}-{uuid4().hex[:6]}", {**LARGE, **offer}, self.sessions)

    def dataset(self, task: str = "task5", *, cases: int = 5, phase: str = "validation") -> UUID:
        """Cases named sub-00, sub-01, … with one small input file each."""
        folder = f"{self.slug}/{phase}/{task}/{uuid4().hex}"
        with unit_of_work(self.sessions) as session:
            challenge = get_challenge(session, self.slug)
            same = Dataset.challenge_id == challenge.id, Dataset.phase == phase, Dataset.task == task
            session.execute(update(Dataset).where(*same, IN_FORCE).values(state="superseded"))
            dataset = Dataset(
                challenge_id=challenge.id, phase=phase, task=task, digest=_digest(folder), folder=folder
            )
            dataset.cases = [
                Case(ordinal=number, name=f"sub-{number:02}", files=self._file(folder, number))
                for number in range(cases)
            ]
            session.add(dataset)
            session.flush()
            return dataset.id

    def _file(self, folder: str, number: int) -> Json:
        content = f"voxels of case {number}".encode()
        path = self.settings.inputs / folder / f"sub-{number:02}" / "t1w.nii.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        relative = str(path.relative_to(self.settings.inputs))
        return {"t1w": {"path": relative, "sha256": _digest(content)[7:], "size": len(content)}}

    def entrant(self, http: httpx.Client, name: str) -> Entrant:
        """Founds a team for whoever `http` is, with an image whose blobs are in the store."""
        answer = http.post(f"/challenges/{self.slug}/teams", json={"name": name})
        assert answer.status_code == 201, answer.text
        team, layer = answer.json()["id"], self.settings.blobs.put(f"layer of {name}".encode())
        digest = self.settings.blobs.put(f"configuration of {name} in {self.slug}".encode())
        facts = image_facts(digest, [layer])
        with unit_of_work(self.sessions) as session:
            session.add(Image(team_id=UUID(team), upload_id=None, digest=digest, facts=facts, size=10))
        return Entrant(http, self.slug, team, digest)

    def runs(self, evaluation: str) -> list[CaseRun]:
        """The case runs of an evaluation as they are now, in order."""
        with unit_of_work(self.sessions) as session:
            return list(session.get_one(Evaluation, UUID(evaluation)).runs)

    def expire(self, *leases: Json) -> int:
        """Lets leases run out on the database's clock; how many cases went back."""
        with unit_of_work(self.sessions) as session:
            past = func.clock_timestamp() - timedelta(seconds=1)
            cases = [UUID(one["case_run"]) for one in leases]
            session.execute(update(CaseRun).where(CaseRun.id.in_(cases)).values(lease_until=past))
        with unit_of_work(self.sessions) as session:
            return faults.expire_leases(session, settings=self.settings)

    def work_out(self) -> int:
        """How sure the places of the challenge are is worked out, as a score worker does; of how many tracks."""
        with unit_of_work(self.sessions) as session:
            challenge = get_challenge(session, self.slug).id
        return work_out(self.sessions, challenge)

    def unpark(self) -> int:
        """Lets the pause of every parked case, and of every slot, be over; how many cases wait again."""
        with unit_of_work(self.sessions) as session:
            unpaused = {"strikes": 0, "paused_until": None, "seen_at": WorkerSlot.seen_at}
            session.execute(update(WorkerSlot).values(unpaused))
            past = func.clock_timestamp() - timedelta(seconds=1)
            session.execute(update(CaseRun).where(CaseRun.not_before.is_not(None)).values(not_before=past))
        with unit_of_work(self.sessions) as session:
            return faults.revive_parked(session, settings=self.settings)


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return "sha256:" + hashlib.sha256(data).hexdigest()
