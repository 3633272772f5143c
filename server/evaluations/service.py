"""Verdicts and the moves of an evaluation.

Every function that changes a case run locks the evaluation's row first: two last cases cannot strand an evaluation,
and all paths take the locks in one order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from evaluator.verdicts import HINTS, Fault, PlatformFault
from server import events
from server.challenges.service import now
from server.database import after_commit
from server.errors import Conflict, NotFound
from server.evaluations.models import CaseRun, Evaluation, WorkerSlot
from server.evaluations.status import ACTIVE, CaseStatus, EvaluationStatus
from server.settings import Settings
from server.wakeups import wake_run_workers, wake_score_workers

MAX_FAULTS = 3
"""A case or a scoring that met this many platform faults ends its evaluation as ERRORED, with everything refunded."""

SYSTEM = "system"


@dataclass(frozen=True)
class Finished:
    """What a run worker says of a case that ended by the container's own doing."""

    fault: Fault | None
    check: str | None
    message: str
    warnings: list[str]
    output: str | None
    seconds: float
    peak_memory_bytes: int | None
    log: str
    receipt: dict[str, object]

    @property
    def code(self) -> str:
        """The verdict's code: valid, a fault, or output_invalid:<check>."""
        if self.fault is None:
            return "valid"
        return f"{self.fault}:{self.check}" if self.check else str(self.fault)


def lock_evaluation(session: Session, evaluation_id: UUID) -> Evaluation:
    """The evaluation as it is now, locked until the unit of work ends."""
    query = select(Evaluation).where(Evaluation.id == evaluation_id).with_for_update()
    return session.scalars(query, execution_options={"populate_existing": True}).one()


@dataclass(frozen=True)
class Claim:
    """A claim on a case run: its number, and the id of the worker's token that took it.

    `worker` None is the server itself, which puts back what any worker lost.
    """

    case_run: UUID
    claim_no: int
    worker: UUID | None = None


def lock_claimed(session: Session, claim: Claim) -> tuple[Evaluation, CaseRun]:
    """The case run that `claim` still owns, and its evaluation, both locked.

    Raises:
        Conflict: the lease was lost, by time or because the evaluation ended.
    """
    lost = Conflict(
        "lease_lost", "This case is not leased to you any more; stop it and throw its output away."
    )
    evaluation_id = session.scalar(select(CaseRun.evaluation_id).where(CaseRun.id == claim.case_run))
    if evaluation_id is None:
        raise lost
    evaluation = lock_evaluation(session, evaluation_id)
    query = select(CaseRun).where(CaseRun.id == claim.case_run).with_for_update()
    run = session.scalars(query, execution_options={"populate_existing": True}).one()
    owned = run.claim_no == claim.claim_no and claim.worker in (None, run.worker_id)
    if not owned or run.status != CaseStatus.RUNNING:
        raise lost
    return evaluation, run


def finish(session: Session, claim: Claim, finished: Finished, *, actor: str, settings: Settings) -> None:
    """Settles a case with its verdict, and moves its evaluation on if this was what it waited for.

    Raises:
        Conflict: the lease was lost.
        NotFound: the output is not the one uploaded under this claim.
    """
    evaluation, run = lock_claimed(session, claim)
    if finished.output is not None and finished.output != run.output:
        raise NotFound("unknown_output", "Upload the output of this case first.")
    run.verdict, run.message, run.warnings = finished.code, finished.message, finished.warnings
    run.output, run.seconds, run.peak_memory_bytes = (
        finished.output,
        finished.seconds,
        finished.peak_memory_bytes,
    )
    run.log, run.receipt = finished.log, dict(finished.receipt)
    run.move_to(session, CaseStatus.DONE, actor=actor, why=finished.code)
    session.flush()
    _advance(session, evaluation, actor=actor, settings=settings)


def _advance(session: Session, evaluation: Evaluation, *, actor: str, settings: Settings) -> None:
    query = select(CaseRun.position, CaseRun.verdict).where(CaseRun.evaluation_id == evaluation.id)
    verdicts = [(position, verdict) for position, verdict in session.execute(query)]
    first = [verdict for position, verdict in verdicts if position < evaluation.first_cases]
    done = [verdict for _, verdict in verdicts if verdict is not None]
    if None not in first and "valid" not in first:
        which = "every case" if len(done) == len(verdicts) else f"the first {len(first)} cases"
        reject(session, evaluation, actor=actor, code="all_failed", why=failure_sentence(which, done))
    elif len(done) == len(verdicts):
        if "valid" not in done:
            why = failure_sentence("every case", done)
            reject(session, evaluation, actor=actor, code="all_failed", why=why)
        else:
            evaluation.move_to(session, EvaluationStatus.SCORING, actor=actor)
            after_commit(session, lambda: wake_score_workers(settings.redis_url))
    elif None not in first and not evaluation.cleared:
        evaluation.cleared = True
        after_commit(session, lambda: wake_run_workers(settings.redis_url))


def failure_sentence(which: str, verdicts: list[str]) -> str:
    """A sentence such as "The first 3 cases failed: timeout (3 of 3). The command was still running …"."""
    counts: dict[str, int] = {}
    for verdict in verdicts:
        if verdict != "valid":
            counts[verdict] = counts.get(verdict, 0) + 1
    listed = ", ".join(f"{code} ({count} of {len(verdicts)})" for code, count in counts.items())
    most = max(counts, key=lambda code: counts[code])
    hint = HINTS[Fault(most.partition(":")[0])]
    return f"{which[0].upper()}{which[1:]} failed: {listed}. {hint}"


def reject(session: Session, evaluation: Evaluation, *, actor: str, code: str, why: str) -> None:
    """Ends an evaluation by the participant's fault; no attempt is spent."""
    evaluation.move_to(session, EvaluationStatus.REJECTED, actor=actor, code=code, why=why)
    _drop_rest(session, evaluation)


def give_up(session: Session, evaluation: Evaluation, *, actor: str, code: str) -> None:
    """Ends an evaluation by the platform's fault; everything is refunded."""
    why = "The platform failed to run this evaluation. No attempt was spent; the organizers have been told."
    evaluation.move_to(session, EvaluationStatus.ERRORED, actor=actor, code=code, why=why)
    _drop_rest(session, evaluation)


def cancel(session: Session, evaluation_id: UUID, *, actor: str) -> Evaluation:
    """Withdraws an evaluation that has not ended; its attempt is given back."""
    evaluation = lock_evaluation(session, evaluation_id)
    if evaluation.status not in ACTIVE:
        raise Conflict(
            "already_ended", f"This evaluation has ended ({evaluation.status}) and cannot be cancelled."
        )
    evaluation.move_to(session, EvaluationStatus.CANCELLED, actor=actor)
    _drop_rest(session, evaluation)
    return evaluation


def _drop_rest(session: Session, evaluation: Evaluation) -> None:
    """Takes what has not ended out of the queue; one event says it for all of them."""
    dropped = session.execute(
        update(CaseRun)
        .where(
            CaseRun.evaluation_id == evaluation.id,
            CaseRun.status.in_([CaseStatus.WAITING.value, CaseStatus.RUNNING.value]),
        )
        .values(status=CaseStatus.DROPPED.value)
        .returning(CaseRun.id)
    ).all()
    if dropped:
        what = f"{len(dropped)} case runs dropped"
        events.record(session, "evaluation", evaluation.id, actor=SYSTEM, what=what)


def release(session: Session, claim: Claim, fault: PlatformFault, *, actor: str, settings: Settings) -> None:
    """Puts a case back into the queue after a platform fault; after too many the evaluation is ERRORED."""
    evaluation, run = lock_claimed(session, claim)
    _put_back(session, evaluation, run, fault, actor=actor, settings=settings)


def _put_back(
    session: Session,
    evaluation: Evaluation,
    run: CaseRun,
    fault: PlatformFault,
    *,
    actor: str,
    settings: Settings,
) -> None:
    run.faults += 1
    run.lease_until = None
    run.move_to(session, CaseStatus.WAITING, actor=actor, why=fault)
    session.flush()
    if run.faults >= MAX_FAULTS:
        give_up(session, evaluation, actor=actor, code=fault)
    else:
        after_commit(session, lambda: wake_run_workers(settings.redis_url))


def hand_back(session: Session, claim: Claim, *, actor: str, settings: Settings) -> None:
    """Puts a case back that a stopping worker has not run: nobody's fault, nothing is counted."""
    _, run = lock_claimed(session, claim)
    run.lease_until = None
    run.move_to(session, CaseStatus.WAITING, actor=actor, why="worker stopping")
    after_commit(session, lambda: wake_run_workers(settings.redis_url))


def expire_leases(session: Session, *, settings: Settings) -> int:
    """Puts back every case whose lease has run out on the database's clock; returns how many."""
    expired = session.execute(
        select(CaseRun.id, CaseRun.claim_no).where(
            CaseRun.status == CaseStatus.RUNNING.value, CaseRun.lease_until < func.clock_timestamp()
        )
    ).all()
    put_back = 0
    for case_run_id, claim_no in expired:
        try:
            evaluation, run = lock_claimed(session, Claim(case_run_id, claim_no))
        except Conflict:
            continue  # settled since the list was made
        if run.lease_until is not None and run.lease_until < now(session):
            _put_back(session, evaluation, run, PlatformFault.WORKER_LOST, actor=SYSTEM, settings=settings)
            put_back += 1
    return put_back


def present_slots(session: Session) -> list[WorkerSlot]:
    """The slots that asked for a case, or kept a lease alive, in the last minute."""
    recent = func.now() - func.make_interval(0, 0, 0, 0, 0, 1)
    return list(session.scalars(select(WorkerSlot).where(WorkerSlot.seen_at > recent)))


def no_worker_note(evaluation: Evaluation, slots: Sequence[WorkerSlot]) -> str | None:
    """Why nothing happens, if none of the present slots could run this evaluation's cases."""
    if evaluation.status not in (EvaluationStatus.QUEUED, EvaluationStatus.RUNNING):
        return None
    if any(_fits(evaluation, slot) for slot in slots):
        return None
    gpus = f", {evaluation.needs_gpus} GPU" if evaluation.needs_gpus else ""
    return (
        f"Waiting: no worker offers {evaluation.needs_cpus:g} CPUs, "
        f"{evaluation.needs_memory / 2**30:g} GiB of memory{gpus}. Nothing is lost; it starts when one does."
    )


def _fits(evaluation: Evaluation, slot: WorkerSlot) -> bool:
    return (
        slot.cpus >= evaluation.needs_cpus
        and slot.memory >= evaluation.needs_memory
        and slot.gpus >= evaluation.needs_gpus
        and slot.gpu_memory >= evaluation.needs_gpu_memory
    )
