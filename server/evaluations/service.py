"""Verdicts and the moves of an evaluation.

Every function that changes a case run locks the evaluation's row first: two last cases cannot strand an evaluation,
and all paths take the locks in one order.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from contract.ids import CaseRunId, EvaluationId, TokenId
from contract.leases import Finish
from contract.problems import ErrorCode
from contract.statuses import CaseStatus, EvaluationStatus, Mode
from evaluator.spec import Limits, with_limit
from evaluator.verdicts import VALID, commonest
from server import events, metrics
from server.database import after_commit
from server.errors import Conflict, NotFound
from server.evaluations import budgets, conduct, usage
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.outputs import waiting_name
from server.evaluations.runs import move_runs
from server.evaluations.said import believable
from server.evaluations.status import ACTIVE, UNDER_WAY
from server.naming import naming
from server.settings import Settings
from server.wakeups import wake_run_workers, wake_score_workers

_log = structlog.get_logger()
COUNTED = "No attempt was spent; rejected evaluations on hidden cases are counted by the week."


def lock_evaluation(session: Session, evaluation_id: EvaluationId) -> Evaluation:
    """The evaluation as it is now, locked until the unit of work ends.

    Not its key: a claim that changes one of its cases only asks whether it is there, and must not wait for that.
    """
    query = select(Evaluation).where(Evaluation.id == evaluation_id).with_for_update(key_share=True)
    return session.scalars(query, execution_options={"populate_existing": True}).one()


@dataclass(frozen=True)
class Claim:
    """A claim on a case run: its number, and the id of the worker's token that took it.

    `worker` None is the server itself, which puts back what any worker lost.
    """

    case_run: CaseRunId
    claim_no: int
    worker: TokenId | None = None


def lock_claimed(session: Session, claim: Claim) -> tuple[Evaluation, CaseRun]:
    """The case run that `claim` still owns, and its evaluation, both locked.

    Raises:
        Conflict: the lease was lost, by time or because the evaluation ended.
    """
    evaluation_id = session.scalar(select(CaseRun.evaluation_id).where(CaseRun.id == claim.case_run))
    if evaluation_id is None:
        raise _lost()
    evaluation = lock_evaluation(session, evaluation_id)
    return evaluation, lock_run(session, claim)


def lock_run(session: Session, claim: Claim) -> CaseRun:
    """The same without its evaluation, for what changes nothing but this row: others of it need not wait.

    Raises:
        Conflict: the lease was lost.
    """
    query = select(CaseRun).where(CaseRun.id == claim.case_run).with_for_update()
    run = session.scalars(query, execution_options={"populate_existing": True}).one_or_none()
    if run is None or run.claim_no != claim.claim_no or claim.worker not in (None, run.worker_id):
        raise _lost()
    if run.status != CaseStatus.RUNNING:
        raise _lost()
    return run


def _lost() -> Conflict:
    return Conflict(
        ErrorCode.LEASE_LOST, "This case is not leased to you any more; stop it and throw its output away."
    )


def finish(session: Session, claim: Claim, finished: Finish, *, actor: str, settings: Settings) -> None:
    """Settles a case with its verdict, and moves its evaluation on if this was what it waited for.

    Raises:
        Conflict: the lease was lost.
        NotFound: the output is not the one uploaded under this claim.
    """
    evaluation, run = lock_claimed(session, claim)
    if finished.output is not None and finished.output != run.output:
        raise NotFound(ErrorCode.UNKNOWN_OUTPUT, "Upload the output of this case first.")
    finished = believable(session, evaluation, run, finished)
    if evaluation.status == EvaluationStatus.QUEUED:  # the claim that should have started it was rolled back
        evaluation.move_to(session, EvaluationStatus.RUNNING, actor=actor)
    if run.mode == Mode.INVOKE and finished.receipt.get("invoke") is not True:
        run.mode = Mode.UNSERVED
    # Of a case in a container of its own there is nothing to compare, whatever a worker says.
    if run.mode == Mode.INVOKE and (finished.repeat_agrees is False or evaluation.fresh_only):
        _run_fresh(session, evaluation, run, actor=actor, settings=settings)
        return
    if finished.output is not None:
        naming(session)
        settings.blobs.adopt(waiting_name(run.id), finished.output)
    _settle(session, evaluation, run, finished, actor=actor)
    usage.charge(session, evaluation, [run])
    conduct.note_finished(session, run)
    after_commit(session, partial(_log.info, "case_settled", verdict=finished.code, **run.named))
    after_commit(session, lambda: metrics.count_case(finished.code, finished.seconds, finished.wait_seconds))
    _advance(session, evaluation, run, actor=actor, settings=settings)


def _settle(session: Session, evaluation: Evaluation, run: CaseRun, finished: Finish, *, actor: str) -> None:
    """Notes what came of a case, in its own row and in the sums of its evaluation."""
    run.verdict, run.message, run.warnings = finished.code, _told(evaluation, finished), finished.warnings
    run.output, run.log, run.receipt = finished.output, finished.log, dict(finished.receipt)
    run.measured = finished.measured
    evaluation.remaining -= 1
    evaluation.seconds += finished.seconds
    evaluation.peak_memory_bytes = _larger(evaluation.peak_memory_bytes, finished.peak_memory_bytes)
    evaluation.peak_gpu_memory_bytes = _larger(evaluation.peak_gpu_memory_bytes, finished.gpu_memory_bytes)
    run.move_to(session, CaseStatus.DONE, actor=actor, code=finished.code)
    session.flush()


def _told(evaluation: Evaluation, finished: Finish) -> str:
    """The sentence on a case. What was found in its output belongs to it where everybody may see the cases."""
    said = with_limit(finished.message, evaluation.limits)
    return said if evaluation.is_hidden or not finished.detail else f"{said} {finished.detail}"


def _larger(one: int | None, other: int | None) -> int | None:
    return max((size for size in (one, other) if size is not None), default=None)


def _run_fresh(
    session: Session, evaluation: Evaluation, run: CaseRun, *, actor: str, settings: Settings
) -> None:
    """Nothing that a container kept for several cases wrote counts any more: those cases run again, each in its own."""
    kept = select(CaseRun).where(
        CaseRun.evaluation_id == evaluation.id,
        CaseRun.status == CaseStatus.DONE,
        CaseRun.mode == Mode.INVOKE,
    )
    done = session.scalars(kept.order_by(CaseRun.position).with_for_update()).all()
    if not evaluation.fresh_only:
        evaluation.fresh_only = True
        why = f"A repeated case differed; {len(done) + 1} cases run again, each in a fresh container."
        events.record(
            session, "evaluation", evaluation.id, actor=actor, what="fresh containers only", why=why
        )
    evaluation.remaining += len(done)
    evaluation.seconds -= sum(other.seconds or 0.0 for other in done)
    for other in (*done, run):
        if other.position < evaluation.first_cases:
            evaluation.cleared = False
        other.forget()
        other.move_to(session, CaseStatus.WAITING, actor=actor, why="runs fresh")
    session.flush()
    usage.charge(session, evaluation, [run], counts=False)
    conduct.note_finished(session, run)
    after_commit(session, lambda: wake_run_workers(settings.redis_url))


def _advance(
    session: Session, evaluation: Evaluation, run: CaseRun, *, actor: str, settings: Settings
) -> None:
    """Moves the evaluation on if `run`, which has just ended, was what it waited for or one too many."""
    first = [] if evaluation.cleared else _verdicts(session, evaluation, evaluation.first_cases)
    if first and None not in first and VALID not in first:
        everything = _is_through(session, evaluation)
        which = "every case" if everything else f"the first {len(first)} cases"
        _reject_failed(session, evaluation, which, first, actor=actor)
    elif (stop := budgets.reason_to_stop(session, evaluation, run)) is not None:
        reject(session, evaluation, actor=actor, code=stop.code, why=stop.why)
    elif _is_through(session, evaluation):
        verdicts = _verdicts(session, evaluation)
        if VALID not in verdicts:
            _reject_failed(session, evaluation, "every case", verdicts, actor=actor)
        else:
            evaluation.move_to(session, EvaluationStatus.SCORING, actor=actor)
            after_commit(session, lambda: wake_score_workers(settings.redis_url))
    elif VALID in first:  # one is enough, and the others need not be waited for
        evaluation.cleared = True
        after_commit(session, lambda: wake_run_workers(settings.redis_url))


def _verdicts(session: Session, evaluation: Evaluation, most: int | None = None) -> list[str | None]:
    """The verdicts of the evaluation's cases, or of its first `most` ones; None where there is none yet."""
    query = select(CaseRun.verdict).where(CaseRun.evaluation_id == evaluation.id)
    if most is not None:
        query = query.where(CaseRun.position < most)
    return list(session.scalars(query))


def _is_through(session: Session, evaluation: Evaluation) -> bool:
    """Whether no case waits or runs any more; asked of the case runs, in a look at each of three small indexes."""
    own = CaseRun.evaluation_id == evaluation.id
    under_way = (exists().where(own, CaseRun.status == status) for status in UNDER_WAY)
    return not any(session.execute(select(*under_way)).one())


def _reject_failed(
    session: Session, evaluation: Evaluation, which: str, verdicts: Sequence[str | None], *, actor: str
) -> None:
    failed = [verdict for verdict in verdicts if verdict is not None]
    sentence = hidden_failure_sentence if evaluation.is_hidden else failure_sentence
    why = sentence(which, failed, evaluation.limits)
    reject(session, evaluation, actor=actor, code="all_failed", why=why)


def failure_sentence(which: str, verdicts: list[str], limits: Limits) -> str:
    """A sentence such as "The first 3 cases failed: timeout (3 of 3). The command was still running …"."""
    counts = Counter(verdict for verdict in verdicts if verdict != VALID)
    listed = ", ".join(f"{code} ({count} of {len(verdicts)})" for code, count in counts.items())
    return f"{which[0].upper()}{which[1:]} failed: {listed}. {budgets.hint_of(counts, limits)}"


def hidden_failure_sentence(which: str, verdicts: list[str], limits: Limits) -> str:
    """The same of hidden cases: the one class that was met most often, and no counts.

    Which failures there are, and how many of each, an image can make depend on its inputs.
    """
    counts = Counter(verdicts)
    most = commonest(counts)
    said = f"{which[0].upper()}{which[1:]} failed, most often by {most}."
    return f"{said} {budgets.hint_of(counts, limits)} {COUNTED}"


def reject(session: Session, evaluation: Evaluation, *, actor: str, code: str, why: str) -> None:
    """Ends an evaluation by the participant's fault; no attempt is spent."""
    evaluation.move_to(session, EvaluationStatus.REJECTED, actor=actor, code=code, why=why)
    drop_rest(session, evaluation, actor=actor)


def cancel(
    session: Session, evaluation_id: EvaluationId, *, actor: str, why: str | None = None
) -> Evaluation:
    """Withdraws an evaluation that has not ended; its attempt is given back. why: its team reads it.

    Raises:
        Conflict: it has ended.
    """
    evaluation = lock_evaluation(session, evaluation_id)
    if evaluation.status not in ACTIVE:
        raise Conflict(
            ErrorCode.ALREADY_ENDED,
            f"This evaluation has ended ({evaluation.status}) and cannot be cancelled.",
        )
    evaluation.move_to(session, EvaluationStatus.CANCELLED, actor=actor, why=why)
    drop_rest(session, evaluation, actor=actor)
    return evaluation


def drop_rest(session: Session, evaluation: Evaluation, *, actor: str, counts: bool = True) -> None:
    """Takes what has not ended out of the queue.

    `counts`: the time of the slots that are at it is the team's.
    """
    why = f"The evaluation is {evaluation.status}."
    dropped = move_runs(session, evaluation, UNDER_WAY, CaseStatus.DROPPED, actor=actor, why=why)
    evaluation.remaining = 0
    leased = [run for run in dropped if run.lease_until is not None]
    usage.charge(session, evaluation, leased, counts=counts)


def hand_back(
    session: Session, claim: Claim, *, actor: str, settings: Settings, why: str = "worker stopping"
) -> None:
    """Puts a case back that a stopping worker has not run: nobody's fault, and counted for its slot alone.

    Raises:
        Conflict: the lease was lost.
    """
    evaluation, run = lock_claimed(session, claim)
    run.lease_until = None
    run.move_to(session, CaseStatus.WAITING, actor=actor, why=why)
    session.flush()
    usage.charge(session, evaluation, [run], counts=False)
    conduct.note_returned(session, run, conduct.Return.HANDED_BACK)
    after_commit(session, lambda: wake_run_workers(settings.redis_url))
