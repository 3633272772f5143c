"""Evaluations as organizers and admins reach them: each by the role that its challenge gives."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.events import Subject
from contract.ids import EvaluationId
from contract.problems import ErrorCode
from server.accounts.principals import Organizer, User
from server.audit.looks import Look, looked
from server.errors import NotFound
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Receipt
from server.organizers.access import absent, observer_in, organizer_in


def receipt_of(session: Session, user: User, evaluation_id: EvaluationId) -> Receipt:
    """The receipt of a scored evaluation. It holds times of single cases, so it is for no participant."""
    receipt = session.get(Receipt, observed_evaluation(session, user, evaluation_id, Look.RECEIPT).id)
    if receipt is None:
        raise NotFound(ErrorCode.NO_RECEIPT, "This evaluation is not scored; a receipt is signed when it is.")
    return receipt


def observed_evaluation(session: Session, user: User, evaluation_id: EvaluationId, look: Look) -> Evaluation:
    """An evaluation of a challenge that the user may see everything of; that they look at it is recorded.

    Raises:
        NotFound, Forbidden: there is none; they may not. Only an admin learns which.
    """
    evaluation = session.get(Evaluation, evaluation_id)
    if evaluation is None:
        raise absent(user, NotFound(ErrorCode.UNKNOWN_EVALUATION, "There is no such evaluation."))
    observer_in(session, user, evaluation.challenge_id)
    looked(session, Subject.EVALUATION, evaluation.id, look, actor=user.actor)
    return evaluation


def organizer_of_evaluation(session: Session, user: User, evaluation_id: EvaluationId) -> Organizer:
    """The user as one who decides in an evaluation's challenge.

    Raises:
        NotFound, Forbidden: there is none; they may not. Only an admin learns which.
    """
    challenge_id = session.scalar(select(Evaluation.challenge_id).where(Evaluation.id == evaluation_id))
    if challenge_id is None:
        raise absent(user, NotFound(ErrorCode.UNKNOWN_EVALUATION, "There is no such evaluation."))
    return organizer_in(session, user, challenge_id)
