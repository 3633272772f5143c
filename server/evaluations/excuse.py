"""Evaluations that shall not count among their team's failures of the week, because an organizer says so."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStanding, EvaluationStatus
from server import events
from server.datasets.said import require_no_case
from server.errors import Conflict, NotFound
from server.evaluations import service
from server.evaluations.models import Evaluation
from server.evaluations.service import lock_evaluation

_FAILED = (EvaluationStatus.REJECTED, EvaluationStatus.CANCELLED)


def excuse(
    session: Session, evaluation_id: EvaluationId, *, actor: str, why: str | None = None
) -> Evaluation:
    """Takes an evaluation out of what counts against its team; once is as good as twice.

    Raises:
        NotFound: there is no such evaluation.
        Conflict: it is neither rejected nor cancelled, so nothing of it counts.
    """
    if session.scalar(select(Evaluation.id).where(Evaluation.id == evaluation_id)) is None:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, f"There is no evaluation {evaluation_id}.")
    evaluation = lock_evaluation(session, evaluation_id)
    if evaluation.status not in _FAILED:
        raise Conflict(
            ErrorCode.NOT_FAILED,
            f"Evaluation {evaluation_id} is {evaluation.status}; only one that was rejected or cancelled counts "
            "among the failures of a week, and can be excused.",
        )
    evaluation.spends = False
    events.record(session, "evaluation", evaluation.id, actor=actor, what="excused", why=why)
    return evaluation


def call_off(session: Session, evaluation_id: EvaluationId, *, actor: str, why: str) -> Evaluation:
    """Cancels an evaluation for its team, which reads why: no attempt is spent, and it is no failure of the week.

    Raises:
        NotFound: there is no such evaluation.
        Conflict: it has ended, or a re-evaluation made it, which is cancelled as a whole.
        Unprocessable: the reason names a hidden case.
    """
    evaluation = session.get(Evaluation, evaluation_id)
    if evaluation is None:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, f"There is no evaluation {evaluation_id}.")
    if evaluation.standing is not EvaluationStanding.IN_FORCE:
        raise Conflict(
            ErrorCode.NOT_IN_FORCE,
            f"Evaluation {evaluation_id} does not count: one that a re-evaluation made ends with that.",
        )
    require_no_case(session, evaluation.challenge_id, why)
    service.cancel(session, evaluation_id, actor=actor, why=f"The organizers cancelled it: {why}")
    evaluation.spends = False
    return evaluation
