"""The real queue on a real database, with slots that run nothing and a clock that the test turns.

The database's own clock is covered by one that reads a table, so claims, leases and charges happen in virtual time.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.orm import Session

from contract.leases import Finish, SlotOffer
from evaluator.spec import Challenge as Spec
from server.accounts.models import Account
from server.accounts.principals import RunWorker
from server.challenges.service import apply, get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.models import Case, Dataset
from server.evaluations import service
from server.evaluations.models import CaseRun, Evaluation
from server.ids import new_id
from server.images.models import Image
from server.queue.claim import claim as lease_next
from server.settings import Settings
from server.submissions.models import Submission
from server.teams.models import Team
from tests.facts import image_facts

GIB = 2**30
SLOT = SlotOffer(name="slot", cpus=64, memory=256 * GIB, gpus=1, gpu_memory=141 * GIB)
_CLOCK = """
CREATE SCHEMA virtual;
CREATE TABLE virtual.clock AS SELECT timestamptz '2026-06-15 00:00+00' AS at;
CREATE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM virtual.clock';
CREATE FUNCTION virtual.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM virtual.clock';
"""

_LEFT = (
    "DELETE FROM worker_slots",
    "UPDATE evaluations SET status = 'cancelled' WHERE status IN ('queued', 'running', 'scoring')",
    "UPDATE case_runs SET status = 'dropped' WHERE status IN ('waiting', 'running', 'parked')",
)


def turn_the_clock(url: str) -> None:
    """Covers the clock of the database at `url` for every later connection."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(_CLOCK))
        connection.execute(text(f"ALTER DATABASE {name} SET search_path = virtual, public, pg_catalog"))
    engine.dispose()


@dataclass(frozen=True)
class Held:
    """One case that a slot has run: whose it was, and from when to when the slot was held by it."""

    slot: int
    team: str
    evaluation: UUID
    begin: float
    end: float
    loaded: bool


@dataclass
class Queue:
    """A challenge with teams, and slots that lease, wait and finish in virtual seconds.

    `held` are the cases that have ended, `begun` also those under way. `seconds` says how long a case of a team's
    evaluation runs; a slot that has not run the image last takes `loading` more.
    """

    sessions: SessionFactory
    settings: Settings
    slug: str
    seconds: Callable[[str], float]
    loading: float = 0.0
    now: float = 0.0
    held: list[Held] = field(default_factory=list)
    begun: list[Held] = field(default_factory=list)
    _teams: dict[UUID, str] = field(default_factory=dict)
    _arrivals: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def of(cls, sessions: SessionFactory, settings: Settings, spec: Spec, **options: object) -> "Queue":
        """A queue with a challenge of its own in which nothing waits, whatever an earlier one has left."""
        with unit_of_work(sessions) as session:
            for left in _LEFT:
                session.execute(text(left))
            apply(session, spec, actor="tests")
        return cls(sessions, settings, spec.challenge, **options)  # type: ignore[arg-type]

    def submit(self, team: str, cases: int, *, at: float = 0.0, priority: int = 0, times: int = 1) -> None:
        """`times` evaluations of `cases` cases each arrive together, each with an image of its own."""
        heapq.heappush(
            self._arrivals, (at, next(self._count), lambda: self._arrive(team, cases, priority, times))
        )

    def run(self, slots: int, *, until: Callable[[], bool] = lambda: False) -> None:
        """Lets `slots` slots work until nothing waits or runs, or `until` holds."""
        worker = RunWorker(new_id(), "simulated")
        images: dict[int, UUID] = {}
        running: list[tuple[float, int, int, service.Claim, Held]] = []
        idle = set(range(slots))
        while not until():
            self._let_arrive()
            for number in sorted(idle):
                one = self._lease(worker, number, images)
                if one is not None:
                    heapq.heappush(running, one)
                    idle.discard(number)
            after = [self._arrivals[0][0]] if self._arrivals else []
            if not running and not after:
                return
            if running and (not after or running[0][0] <= after[0]):
                end, _, number, claim, held = heapq.heappop(running)
                self._set(end)
                self._finish(claim, end - held.begin)
                self.held.append(held)
                idle.add(number)
            else:
                self._set(after[0])

    def last_end(self, team: str) -> float:
        """When the last case of a team ended."""
        return max(one.end for one in self.held if one.team == team)

    def shares(self) -> Counter[str]:
        """Slot seconds per team."""
        counts: Counter[str] = Counter()
        for one in self.held:
            counts[one.team] += one.end - one.begin  # type: ignore[assignment]
        return counts

    def _set(self, now: float) -> None:
        if now == self.now:
            return
        self.now = now
        with unit_of_work(self.sessions) as session:
            moved = "UPDATE virtual.clock SET at = timestamptz '2026-06-15 00:00+00' + make_interval(secs => :now)"
            session.execute(text(moved), {"now": now})

    def _let_arrive(self) -> None:
        while self._arrivals and self._arrivals[0][0] <= self.now:
            heapq.heappop(self._arrivals)[2]()

    def _lease(
        self, worker: RunWorker, number: int, images: dict[int, UUID]
    ) -> tuple[float, int, int, service.Claim, Held] | None:
        slot = SLOT.model_copy(update={"name": f"slot-{number}"})
        with unit_of_work(self.sessions) as session:
            leased = lease_next(session, worker, slot, settings=self.settings)
            if leased is None:
                return None
            evaluation, run = leased.evaluation, leased.runs[0]
            team, image = self._teams[evaluation.team_id], evaluation.image_id
            claim = service.Claim(run.id, run.claim_no, worker.id)
        loaded = images.get(number) != image
        images[number] = image
        end = self.now + self.seconds(team) + (self.loading if loaded else 0.0)
        held = Held(number, team, run.evaluation_id, self.now, end, loaded)
        self.begun.append(held)
        return end, next(self._count), number, claim, held

    def _finish(self, claim: service.Claim, seconds: float) -> None:
        with unit_of_work(self.sessions) as session:
            run = session.get_one(CaseRun, claim.case_run)
            run.output = self.settings.blobs.put(b"0.5\n")
            session.flush()
            finished = Finish(
                message="As simulated.", output=run.output, seconds=seconds, peak_memory_bytes=GIB
            )
            service.finish(session, claim, finished, actor="simulated", settings=self.settings)

    def _arrive(self, team: str, cases: int, priority: int, times: int) -> None:
        with unit_of_work(self.sessions) as session:
            team_id = next((one for one, name in self._teams.items() if name == team), None)
            if team_id is None:
                team_id = _found(session, self.slug, team)
                self._teams[team_id] = team
            for _ in range(times):
                _queue(session, self.slug, team_id, cases, priority)


def _found(session: Session, slug: str, name: str) -> UUID:
    team = Team(challenge_id=get_challenge(session, slug).id, name=name, name_key=name.lower())
    session.add(team)
    session.flush()
    return team.id


def _queue(session: Session, slug: str, team_id: UUID, cases: int, priority: int) -> None:
    challenge = get_challenge(session, slug)
    facts = image_facts()
    image = Image(team_id=team_id, digest=facts.digest, facts=facts, size=1)
    dataset = _dataset(session, challenge.id, cases)
    session.add(image)
    session.flush()
    submission = Submission(
        challenge_id=challenge.id,
        team_id=team_id,
        created_by=_somebody(session),
        track="method",
        phase="validation",
        images={"task5": image.digest},
        idempotency_key=str(new_id()),
    )
    session.add(submission)
    session.flush()
    evaluation = Evaluation(
        id=new_id(),
        submission_id=submission.id,
        challenge_id=challenge.id,
        team_id=team_id,
        spec_version_id=challenge.current_version_id,
        dataset_id=dataset.id,
        image_id=image.id,
        task="task5",
        track="method",
        phase="validation",
        priority=priority,
        first_cases=3,
        needs_cpus=1,
        needs_memory=GIB,
        needs_gpus=0,
        needs_gpu_memory=0,
        remaining=cases,
    )
    session.add(evaluation)
    session.flush()
    session.execute(insert(CaseRun), list(_rows(evaluation.id, dataset.cases)))


def _somebody(session: Session) -> UUID:
    user = Account(email=f"{new_id()}@example.org", name="Sim", password_hash="-")
    session.add(user)
    session.flush()
    return user.id


def _dataset(session: Session, challenge_id: UUID, cases: int) -> Dataset:
    """One with that many cases, made once."""
    digest = f"sha256:{cases}"
    known = select(Dataset).where(Dataset.challenge_id == challenge_id, Dataset.digest == digest)
    dataset = session.scalar(known)
    if dataset is None:
        dataset = Dataset(
            challenge_id=challenge_id,
            phase="validation",
            task="task5",
            digest=digest,
            folder="none",
            state="superseded",  # several of one task; nothing here asks which is in force
        )
        dataset.cases = [Case(ordinal=number, name=f"sub-{number}", files={}) for number in range(cases)]
        session.add(dataset)
        session.flush()
    return dataset


def _rows(evaluation_id: UUID, cases: Iterable[Case]) -> Iterable[dict[str, object]]:
    for position, case in enumerate(cases):
        yield {
            "id": new_id(),
            "evaluation_id": evaluation_id,
            "case_id": case.id,
            "position": position,
            "pseudonym": f"case_{position}",
        }
