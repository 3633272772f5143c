"""The queue. A row of `case_runs` is a job; claiming one sets RUNNING, claim_no + 1 and a lease.

Leases live on the database's clock. Every later write names its claim_no and is refused once the lease is lost.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import column, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from server.accounts.principals import RunWorker
from server.errors import Conflict
from server.evaluations import conduct
from server.evaluations.batches import Mode, batch_of, most_of
from server.evaluations.models import CaseRun, Evaluation, WorkerSlot
from server.evaluations.policy import CHOSEN, WIDTHS, Slot, parameters
from server.evaluations.service import Claim, hand_back, lock_claimed
from server.evaluations.status import CaseStatus
from server.ids import new_id
from server.settings import Settings

__all__ = ["Leased", "Slot", "claim", "heartbeat", "take_back"]


@dataclass(frozen=True)
class Leased:
    """Cases of one evaluation that a slot was leased together, in the order in which they are to be run."""

    runs: Sequence[CaseRun]
    mode: Mode

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation that all of them belong to."""
        return self.runs[0].evaluation


# One statement, for each message to the database and back costs as much as choosing does. The moves and their events
# are those of `move_to`. An evaluation that somebody else holds is not waited for: another first claim starts it, and
# an end drops this case too.
_LEASED = """, leased AS (
    UPDATE case_runs SET status = 'running', claim_no = claim_no + 1, mode = 'fresh', worker = :name,
        worker_id = :worker, output = NULL, downloads = 0, started_at = clock_timestamp(),
        lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
    FROM chosen WHERE case_runs.id = chosen.id
    RETURNING case_runs.*
), started AS (
    UPDATE evaluations SET status = 'running', started_at = now()
    WHERE id = (
        SELECT id FROM evaluations
        WHERE id = (SELECT evaluation_id FROM chosen) AND status = 'queued'
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id
), told AS (
    INSERT INTO events (id, subject, subject_id, actor, what)
    SELECT cast(:event AS uuid), 'case_run', id, :actor, 'waiting → running (claim ' || claim_no || ')' FROM leased
    UNION ALL
    SELECT cast(:start_event AS uuid), 'evaluation', id, :actor, 'queued → running' FROM started
), noted AS (
    INSERT INTO worker_slots AS old (worker_id, name, cpus, memory, gpus, gpu_memory, runtimes, most, invoke, seen_at,
        evaluation_id, team_id, image_id, charged_at)
    SELECT cast(:worker AS uuid), :name, :cpus, :memory, :gpus, :gpu_memory, to_jsonb(cast(:offered AS text[])), :most,
        :invoke, now(), chosen.evaluation_id, chosen.team_id, chosen.image_id,
        CASE WHEN chosen.id IS NOT NULL THEN clock_timestamp() END
    FROM (SELECT) AS one LEFT JOIN chosen ON true
    ON CONFLICT (worker_id, name) DO UPDATE SET
        cpus = excluded.cpus, memory = excluded.memory, gpus = excluded.gpus, gpu_memory = excluded.gpu_memory,
        runtimes = excluded.runtimes, most = excluded.most, invoke = excluded.invoke, seen_at = excluded.seen_at,
        evaluation_id = coalesce(excluded.evaluation_id, old.evaluation_id),
        team_id = coalesce(excluded.team_id, old.team_id),
        image_id = coalesce(excluded.image_id, old.image_id),
        -- a slot may be leased its next case before it has finished this one: its clock then runs on
        charged_at = coalesce(old.charged_at, excluded.charged_at)
)
SELECT {columns}, (
    -- what the slot held before this claim, by mode
    SELECT jsonb_object_agg(coalesce(mode, 'fresh'), cases) FROM (
        SELECT mode, count(*) AS cases FROM case_runs
        WHERE status = 'running' AND worker_id = :worker AND worker = :name
        GROUP BY mode
    ) AS had
) AS had
FROM leased
"""
# With its columns in a known order, for otherwise they are looked up by name at each claim. Without comments and
# layout: psycopg looks through the text anew each time, for it keeps only shorter ones.
_COLUMNS = CaseRun.__table__.columns
_STATEMENT = (CHOSEN + _LEASED).replace("{columns}", ", ".join(_COLUMNS.keys()))
_SHORT = " ".join(re.sub("--.*", "", _STATEMENT).split())
_HAD = column("had", JSONB)
_CLAIMED = select(CaseRun, _HAD).from_statement(text(_SHORT).columns(*_COLUMNS, _HAD))


def claim(session: Session, worker: RunWorker, slot: Slot, *, settings: Settings) -> Leased | None:
    """Leases what `slot` should run next, fairest first, or None if nothing waits that it can run.

    Raises:
        NotNow: the slot has a pause or holds as much as it may, or its token has too many slots; nothing is leased.
    """
    conduct.admit(session, worker, slot.name)
    found = next(
        filter(None, (_claim_first(session, worker, slot, width, settings) for width in WIDTHS)), None
    )
    if found is None:
        return None
    first, held = found
    batch = batch_of(session, first, slot)
    wanted = 1 if first.faults else batch.most
    if wanted > 1:
        wanted = min(wanted, conduct.room(held, batch.mode, most_of(batch.mode, slot)))
    more = _more(session, first, wanted - 1) if wanted > 1 else ()
    mode = Mode.FRESH if batch.mode is Mode.PACKED and not more else batch.mode
    conduct.room(held, mode, most_of(mode, slot))
    if mode is not Mode.FRESH:
        first.mode = mode.value
    for one in more:
        _lease(session, one, mode, worker, slot, settings)
    return Leased([first, *more], mode)


def _claim_first(
    session: Session, worker: RunWorker, slot: Slot, width: int, settings: Settings
) -> tuple[CaseRun, Mapping[str, int]] | None:
    values = parameters(worker.id, slot) | {
        "width": width,
        "offered": list(slot.runtimes),
        "most": slot.most,
        "invoke": slot.invoke,
        "lease_seconds": settings.lease_seconds,
        "actor": worker.actor,
        "event": new_id(),
        "start_event": new_id(),
    }
    claimed = session.execute(_CLAIMED, values, execution_options={"populate_existing": True}).one_or_none()
    return None if claimed is None else (claimed[0], claimed[1] or {})


def _more(session: Session, first: CaseRun, most: int) -> Sequence[CaseRun]:
    """Further cases to run with `first`; what met a fault of ours is not among them but leased alone.

    It may be such a case that kills its worker. And most of those that a lost worker held were not even begun: held
    together again, they would collect the faults that end an evaluation.
    """
    query = select(CaseRun).where(
        CaseRun.evaluation_id == first.evaluation_id,
        CaseRun.status == CaseStatus.WAITING.value,
        CaseRun.faults == 0,
    )
    if not first.evaluation.cleared:
        query = query.where(CaseRun.position < first.evaluation.first_cases)
    locked = query.order_by(CaseRun.position).limit(most).with_for_update(skip_locked=True)
    return session.scalars(locked, execution_options={"populate_existing": True}).all()


def _lease(
    session: Session, run: CaseRun, mode: Mode, worker: RunWorker, slot: Slot, settings: Settings
) -> None:
    run.claim_no += 1
    run.mode = mode.value
    run.output, run.downloads = None, 0  # what an earlier claim uploaded is not this one's
    run.worker, run.worker_id = slot.name, worker.id
    run.started_at = func.clock_timestamp()
    run.lease_until = func.clock_timestamp() + timedelta(seconds=settings.lease_seconds)
    run.move_to(session, CaseStatus.RUNNING, actor=worker.actor)


def heartbeat(
    session: Session, claims: Sequence[Claim], worker: RunWorker, *, settings: Settings
) -> list[Claim]:
    """Renews the leases that `worker` still has, and returns the others, whose containers it has to stop.

    A lease is lost by time, with its evaluation, or by its age. A row that somebody holds is passed over: waiting for
    one with others in hand could deadlock, and it is renewed with the next beat if it is still there then.
    """
    oldest = func.clock_timestamp() - timedelta(seconds=settings.longest_lease_seconds)
    kept = (
        CaseRun.id.in_([one.case_run for one in claims])  # alone, for no index helps to find pairs
        & tuple_(CaseRun.id, CaseRun.claim_no).in_([(one.case_run, one.claim_no) for one in claims])
        & (CaseRun.worker_id == worker.id)
        & (CaseRun.status == CaseStatus.RUNNING.value)
        & (CaseRun.started_at > oldest)
    )
    found = session.execute(select(CaseRun.id, CaseRun.claim_no, CaseRun.worker).where(kept)).all()
    free = select(CaseRun.id).where(kept).with_for_update(skip_locked=True, key_share=True)
    until = func.clock_timestamp() + timedelta(seconds=settings.lease_seconds)
    session.execute(
        update(CaseRun).where(CaseRun.id.in_(free)).values(lease_until=until),
        execution_options={"synchronize_session": False},
    )
    for name in {one.worker for one in found if one.worker}:
        _note_seen(session, worker, name)
    held = {(one.id, one.claim_no) for one in found}
    return [one for one in claims if (one.case_run, one.claim_no) not in held]


def _note_seen(session: Session, worker: RunWorker, name: str) -> None:
    """The slot is there. Whoever holds its row notes the same; waiting for that with a case in hand could deadlock."""
    slot = (WorkerSlot.worker_id == worker.id) & (WorkerSlot.name == name)
    free = select(WorkerSlot.name).where(slot).with_for_update(skip_locked=True)
    seen = update(WorkerSlot).where(WorkerSlot.worker_id == worker.id, WorkerSlot.name.in_(free))
    session.execute(seen.values(seen_at=func.now()), execution_options={"synchronize_session": False})


def take_back(session: Session, worker_id: UUID, *, actor: str, settings: Settings) -> int:
    """Ends every lease of a token at once; its cases wait again, and nobody is to blame. How many there were."""
    held = session.execute(
        select(CaseRun.id, CaseRun.claim_no)
        .where(CaseRun.worker_id == worker_id, CaseRun.status == CaseStatus.RUNNING.value)
        .order_by(CaseRun.evaluation_id, CaseRun.id)
    ).all()
    # All locks before anything is changed, in the order of every other path: evaluations, cases, slots.
    locked = [claim for one in held if _is_locked(session, claim := Claim(one.id, one.claim_no))]
    for one in locked:
        hand_back(session, one, actor=actor, settings=settings, why="token revoked")
    return len(locked)


def _is_locked(session: Session, claim: Claim) -> bool:
    try:
        lock_claimed(session, claim)
    except Conflict:
        return False  # settled meanwhile
    return True
