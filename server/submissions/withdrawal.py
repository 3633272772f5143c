"""A team withdraws an evaluation. On hidden cases the answer does not tell whether it had ended by then."""

from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from contract.submissions import EvaluationOut
from server.errors import Conflict
from server.evaluations import service
from server.evaluations.models import Evaluation
from server.evaluations.status import ACTIVE
from server.submissions import views
from server.submissions.models import Submission


def withdraw(
    session: Session, submission: Submission, evaluation: Evaluation, *, actor: str
) -> EvaluationOut:
    """The evaluation as its team sees it, withdrawn if it goes on; its attempt is given back then.

    An end that its team does not see yet stays what it is, and shows at its moment, as a withdrawal does.

    Raises:
        Conflict: its team sees that it has ended.
    """
    evaluation = service.lock_evaluation(session, evaluation.id)
    goes_on = evaluation.status in ACTIVE
    if goes_on:
        service.cancel(session, evaluation.id, actor=actor)
    (seen,) = views.evaluations_out(session, submission, [evaluation])
    if seen.ended and not goes_on:
        raise Conflict(
            ErrorCode.ALREADY_ENDED, f"This evaluation has ended ({seen.status}) and cannot be withdrawn."
        )
    return seen
