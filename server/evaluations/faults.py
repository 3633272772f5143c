"""Faults of the platform: what met one is parked and tried again after a growing pause, until it is the one to blame.

That a worker is killed, an engine restarted or a disk full is nothing that an evaluation can help: it waits until the
platform works again. It ends only where others run well and it does not, see `suspicion`.
"""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.statuses import CaseStatus, EvaluationStatus
from evaluator.verdicts import Fault, PlatformFault
from server.clock import now
from server.database import after_commit
from server.errors import Conflict
from server.evaluations import conduct, suspicion, usage
from server.evaluations.conduct import Return
from server.evaluations.models import CaseRun, Evaluation, Trouble
from server.evaluations.service import Claim, drop_rest, lock_claimed, lock_evaluation, reject
from server.events import PLATFORM
from server.metrics import LEASES_LOST
from server.settings import Settings
from server.wakeups import wake_run_workers

NOT_RUN = (
    "The platform failed at a case of this evaluation again and again, while others ran well on the same machines. "
    "No attempt was spent. The organizers see it in their list of errors and can have it run again."
)
NEVER_MADE = (
    "No container of this image could be made: the engine failed at it each time, on every machine that tried, but "
    "made containers of other images there. Build a plainer image (fewer files, layers and settings), and see with "
    "`proctor try` whether a container of it starts. No attempt was spent."
)
NOT_SCORED = (
    "The platform ran this evaluation and failed to score it. No attempt was spent. The organizers see it in their "
    "list of errors and can have it scored again."
)
_AT_ONCE = 1000


def release(session: Session, claim: Claim, fault: PlatformFault, *, actor: str, detail: str = "") -> None:
    """Parks a case after a fault of the platform; or ends its evaluation where it is the one to blame.

    As REJECTED where its image is, of which no host could make a container; else as ERRORED.

    Raises:
        Conflict: the lease was lost.
    """
    evaluation, run = lock_claimed(session, claim)
    _park(session, evaluation, run, fault, detail, actor=actor)


def _park(
    session: Session,
    evaluation: Evaluation,
    run: CaseRun,
    fault: PlatformFault,
    detail: str,
    *,
    actor: str,
) -> None:
    run.faults += 1
    run.lease_until = None
    run.not_before = func.clock_timestamp() + timedelta(seconds=suspicion.pause_after(run.faults))
    run.move_to(session, CaseStatus.PARKED, actor=actor, code=fault)
    session.add(
        Trouble(
            evaluation_id=evaluation.id,
            case_run_id=run.id,
            image_id=evaluation.image_id,
            worker_id=run.worker_id,
            worker=run.worker,
            code=fault,
            detail=detail,
        )
    )
    session.flush()
    counts = suspicion.may_be_the_images(session, evaluation, fault)
    usage.charge(session, evaluation, [run], counts=counts)
    lost = fault is PlatformFault.WORKER_LOST
    conduct.note_returned(session, run, Return.ABANDONED if lost else Return.FAULTED)
    blamed = suspicion.of_case(session, evaluation, run)
    if blamed is None:
        return
    said = blamed.said + (f" Last: {fault}: {detail}" if detail else f" Last: {fault}.")
    if blamed.image:
        reject(session, evaluation, actor=actor, code=Fault.NO_START, why=NEVER_MADE)
        evaluation.trouble = said
    else:
        give_up(session, evaluation, actor=actor, code=fault, why=NOT_RUN, trouble=said)


def give_up(
    session: Session, evaluation: Evaluation, *, actor: str, code: PlatformFault, why: str, trouble: str
) -> None:
    """Ends an evaluation by the platform's fault; everything is refunded.

    why: for its team. trouble: for admins; both last with it.
    """
    evaluation.move_to(session, EvaluationStatus.ERRORED, actor=actor, code=code, why=why)
    evaluation.trouble = trouble
    drop_rest(session, evaluation, actor=actor, counts=False)


def revive_parked(session: Session, *, settings: Settings) -> int:
    """Puts back into the queue every parked case whose pause is over on the database's clock; returns how many."""
    over = session.execute(
        select(CaseRun.evaluation_id, CaseRun.id)
        .where(CaseRun.status == CaseStatus.PARKED, CaseRun.not_before <= func.clock_timestamp())
        .order_by(CaseRun.evaluation_id, CaseRun.id)
        .limit(_AT_ONCE)
    ).all()
    for evaluation_id in dict.fromkeys(run.evaluation_id for run in over):
        lock_evaluation(session, evaluation_id)
    parked = (
        select(CaseRun)
        .where(CaseRun.id.in_([run.id for run in over]), CaseRun.status == CaseStatus.PARKED)
        .order_by(CaseRun.evaluation_id, CaseRun.id)
        .with_for_update()
    )
    revived = session.scalars(parked, execution_options={"populate_existing": True}).all()
    for run in revived:
        run.not_before = None
        run.move_to(session, CaseStatus.WAITING, actor=PLATFORM, why="its pause is over")
    if revived:
        after_commit(session, lambda: wake_run_workers(settings.redis_url))
    return len(revived)


def expire_leases(session: Session, *, settings: Settings) -> int:
    """Parks every case whose lease has run out on the database's clock; returns how many.

    All locks are taken before anything is changed, in the order of every other path: evaluations, cases, slots.
    """
    expired = session.execute(
        select(CaseRun.evaluation_id, CaseRun.id, CaseRun.claim_no)
        .where(CaseRun.status == CaseStatus.RUNNING, CaseRun.lease_until < func.clock_timestamp())
        .order_by(CaseRun.evaluation_id, CaseRun.id)
    ).all()
    locked = [
        owned
        for _, case_run, claim_no in expired
        if (owned := _still_claimed(session, Claim(case_run, claim_no))) is not None
    ]
    at = now(session)
    lost = [(evaluation, run) for evaluation, run in locked if run.lease_until and run.lease_until < at]
    for evaluation, run in lost:
        if run.status == CaseStatus.RUNNING:  # and not dropped with an evaluation that this loop gave up
            detail = f"{run.worker} did not renew its lease of {settings.lease_seconds:g} s."
            fault = PlatformFault.WORKER_LOST
            _park(session, evaluation, run, fault, detail, actor=PLATFORM)
    after_commit(session, lambda: LEASES_LOST.inc(len(lost)))
    return len(lost)


def _still_claimed(session: Session, claim: Claim) -> tuple[Evaluation, CaseRun] | None:
    try:
        return lock_claimed(session, claim)
    except Conflict:
        return None  # settled since the list was made
