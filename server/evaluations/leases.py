"""The queue. A row of `case_runs` is a job; claiming one sets RUNNING, claim_no + 1 and a lease.

Leases live on the database's clock. Every later write names its claim_no and is refused once the lease is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from server.accounts.principals import RunWorker
from server.evaluations import usage
from server.evaluations.batches import Mode, batch_of
from server.evaluations.models import CaseRun, Evaluation, WorkerSlot
from server.evaluations.policy import Slot, next_case
from server.evaluations.service import Claim
from server.evaluations.status import CaseStatus, EvaluationStatus
from server.settings import Settings

__all__ = ["Leased", "Slot", "claim", "heartbeat"]


@dataclass(frozen=True)
class Leased:
    """Cases of one evaluation that a slot was leased together, in the order in which they are to be run."""

    evaluation: Evaluation
    runs: Sequence[CaseRun]
    mode: Mode


def claim(session: Session, worker: RunWorker, slot: Slot, *, settings: Settings) -> Leased | None:
    """Leases what `slot` should run next, fairest first, or None if nothing waits that it can run."""
    run = next_case(session, worker.id, slot)
    if run is None:
        usage.hold(session, worker.id, slot, None)
        return None
    evaluation = session.get_one(Evaluation, run.evaluation_id)
    batch = batch_of(session, evaluation, slot)
    runs = [run, *(_more(session, evaluation, run, batch.most - 1) if batch.most > 1 else ())]
    mode = Mode.FRESH if batch.mode is Mode.PACKED and len(runs) == 1 else batch.mode
    for one in runs:
        _lease(session, one, mode, worker, slot, settings)
    if evaluation.status == EvaluationStatus.QUEUED:
        _start(session, evaluation, worker)
    usage.hold(session, worker.id, slot, evaluation)
    return Leased(evaluation, runs, mode)


def _more(session: Session, evaluation: Evaluation, first: CaseRun, most: int) -> Sequence[CaseRun]:
    query = select(CaseRun).where(
        CaseRun.evaluation_id == evaluation.id,
        CaseRun.status == CaseStatus.WAITING.value,
        CaseRun.id != first.id,
    )
    if not evaluation.cleared:
        query = query.where(CaseRun.position < evaluation.first_cases)
    locked = query.order_by(CaseRun.position).limit(most).with_for_update(skip_locked=True)
    return session.scalars(locked, execution_options={"populate_existing": True}).all()


def _lease(
    session: Session, run: CaseRun, mode: Mode, worker: RunWorker, slot: Slot, settings: Settings
) -> None:
    run.claim_no += 1
    run.mode = mode.value
    run.output = None  # what an earlier claim uploaded is not this one's
    run.worker, run.worker_id = slot.name, worker.id
    run.started_at = func.clock_timestamp()
    run.lease_until = func.clock_timestamp() + timedelta(seconds=settings.lease_seconds)
    run.move_to(session, CaseStatus.RUNNING, actor=worker.actor)


def _start(session: Session, evaluation: Evaluation, worker: RunWorker) -> None:
    """The evaluation runs, unless somebody holds its row: another first claim, or an end that drops this case too."""
    free = select(Evaluation).where(
        Evaluation.id == evaluation.id, Evaluation.status == EvaluationStatus.QUEUED.value
    )
    locked = session.scalar(
        free.with_for_update(skip_locked=True), execution_options={"populate_existing": True}
    )
    if locked is not None:
        locked.move_to(session, EvaluationStatus.RUNNING, actor=worker.actor)


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
