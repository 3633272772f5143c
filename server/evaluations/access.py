"""Evaluations as admins reach them: any one, and its receipt."""

from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from server.accounts.principals import Admin
from server.errors import NotFound
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Receipt


def receipt_of(session: Session, admin: Admin, evaluation_id: EvaluationId) -> Receipt:
    """The receipt of a scored evaluation. It holds times of single cases, so it is for admins only."""
    receipt = session.get(Receipt, any_evaluation(session, admin, evaluation_id).id)
    if receipt is None:
        raise NotFound(ErrorCode.NO_RECEIPT, "This evaluation is not scored; a receipt is signed when it is.")
    return receipt


def any_evaluation(session: Session, admin: Admin, evaluation_id: EvaluationId) -> Evaluation:
    """Any evaluation, for an admin."""
    evaluation = session.get(Evaluation, evaluation_id)
    if evaluation is None:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, "There is no such evaluation.")
    return evaluation
