"""The queue. A row of `case_runs` is a job; claiming one sets RUNNING, claim_no + 1 and a lease.

Leases live on the database's clock. Every later write names its claim_no and is refused once the lease is lost.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server.accounts.principals import RunWorker
from server.evaluations.models import CaseRun, Evaluation, WorkerSlot
from server.evaluations.service import Claim, lock_evaluation
from server.evaluations.status import CaseStatus, EvaluationStatus
from server.settings import Settings

_TRIES = 5
"""How often a claim looks again after another worker took the last case of the evaluation it had chosen."""


@dataclass(frozen=True)
class Slot:
    """What a slot of a run worker offers: processor cores, memory in bytes, GPUs and the memory of one in bytes."""

    name: str
    cpus: float
    memory: int
    gpus: int = 0
    gpu_memory: int = 0


def claim(session: Session, worker: RunWorker, slot: Slot, *, settings: Settings) -> CaseRun | None:
    """Leases the next case that `slot` can run, fairest first, or None if none waits."""
    _remember(session, worker, slot)
    for _ in range(_TRIES):
        evaluation_id = session.scalar(_next_evaluation(slot))
        if evaluation_id is None:
            return None
        evaluation = lock_evaluation(session, evaluation_id)
        run = session.scalar(_next_case(evaluation))
        if run is not None:
            _lease(session, evaluation, run, worker, slot, settings)
            return run
    return None


def _remember(session: Session, worker: RunWorker, slot: Slot) -> None:
    offer = {
        "cpus": slot.cpus,
        "memory": slot.memory,
        "gpus": slot.gpus,
        "gpu_memory": slot.gpu_memory,
        "seen_at": func.now(),
    }
    query = insert(WorkerSlot).values(worker_id=worker.id, name=slot.name, **offer)
    session.execute(query.on_conflict_do_update(index_elements=["worker_id", "name"], set_=offer))


def _claimable() -> ColumnElement[bool]:
    """Cases that wait and may run: the first ones at once, the rest when one of those gave a valid output."""
    return and_(
        CaseRun.evaluation_id == Evaluation.id,
        CaseRun.status == CaseStatus.WAITING.value,
        or_(Evaluation.cleared, CaseRun.position < Evaluation.first_cases),
    )


def _next_evaluation(slot: Slot) -> Select[UUID]:
    other = Evaluation.__table__.alias("other")
    running = (
        select(func.count())
        .select_from(CaseRun.__table__.join(other, other.c.id == CaseRun.evaluation_id))
        .where(CaseRun.status == CaseStatus.RUNNING.value, other.c.team_id == Evaluation.team_id)
        .scalar_subquery()
    )
    return (
        select(Evaluation.id)
        .where(
            Evaluation.status.in_([EvaluationStatus.QUEUED.value, EvaluationStatus.RUNNING.value]),
            Evaluation.needs_cpus <= slot.cpus,
            Evaluation.needs_memory <= slot.memory,
            Evaluation.needs_gpus <= slot.gpus,
            Evaluation.needs_gpu_memory <= slot.gpu_memory,
            exists().where(_claimable()),
        )
        .order_by(
            running,  # the team with the fewest running cases: nobody waits behind another team's season
            Evaluation.priority.desc(),  # then what an admin put first
            Evaluation.created_at,  # then age
            Evaluation.id,
        )
        .limit(1)
    )


def _next_case(evaluation: Evaluation) -> Select[CaseRun]:
    query = select(CaseRun).where(
        CaseRun.evaluation_id == evaluation.id, CaseRun.status == CaseStatus.WAITING.value
    )
    if not evaluation.cleared:
        query = query.where(CaseRun.position < evaluation.first_cases)
    return query.order_by(CaseRun.position).limit(1).with_for_update(skip_locked=True)


def _lease(
    session: Session, evaluation: Evaluation, run: CaseRun, worker: RunWorker, slot: Slot, settings: Settings
) -> None:
    run.claim_no += 1
    run.output = None  # what an earlier claim uploaded is not this one's
    run.worker, run.worker_id = slot.name, worker.id
    run.started_at = func.clock_timestamp()
    run.lease_until = func.clock_timestamp() + timedelta(seconds=settings.lease_seconds)
    run.move_to(session, CaseStatus.RUNNING, actor=worker.actor)
    if evaluation.status == EvaluationStatus.QUEUED:
        evaluation.move_to(session, EvaluationStatus.RUNNING, actor=worker.actor)
    session.flush()


def heartbeat(session: Session, claim: Claim, *, settings: Settings) -> bool:
    """Renews a lease; False if it was lost or is too old, and the worker has to stop the container."""
    oldest = func.clock_timestamp() - timedelta(seconds=settings.longest_lease_seconds)
    renewed = session.execute(
        update(CaseRun)
        .where(
            CaseRun.id == claim.case_run,
            CaseRun.claim_no == claim.claim_no,
            CaseRun.worker_id == claim.worker,
            CaseRun.status == CaseStatus.RUNNING.value,
            CaseRun.started_at > oldest,
        )
        .values(lease_until=func.clock_timestamp() + timedelta(seconds=settings.lease_seconds))
        .returning(CaseRun.worker)
    ).first()
    if renewed is None:
        return False
    slot = (WorkerSlot.worker_id == claim.worker) & (WorkerSlot.name == renewed.worker)
    session.execute(update(WorkerSlot).where(slot).values(seen_at=func.now()))
    return True
