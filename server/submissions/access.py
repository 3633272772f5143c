"""Who may see which evaluation. Others' evaluations do not exist for a participant."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStanding
from server.accounts.principals import User
from server.accounts.service import require_scope
from server.errors import Forbidden, NotFound
from server.evaluations.models import SHOWN, Evaluation
from server.submissions.models import Submission
from server.submissions.service import get_submission
from server.teams.membership import may_see


def own_evaluation(
    session: Session, user: User, evaluation_id: EvaluationId, *, scope: str = "read"
) -> tuple[Submission, Evaluation]:
    """An evaluation of one of the user's teams that they see, and its submission.

    One that another replaced leads to that one: its address stays good.
    """
    require_scope(user, scope)
    evaluation = _that_is_shown(session, evaluation_id)
    if evaluation is None or not may_see(session, user, evaluation.team_id):
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, "There is no such evaluation among those of your teams.")
    return get_submission(session, user, evaluation.submission_id), evaluation


def _that_is_shown(session: Session, evaluation_id: EvaluationId) -> Evaluation | None:
    found = session.get(Evaluation, evaluation_id)
    if found is not None and found.standing is EvaluationStanding.REPLACED:
        same = Evaluation.submission_id == found.submission_id, Evaluation.task == found.task
        return session.scalar(select(Evaluation).where(SHOWN, *same))
    return None if found is None or found.standing is EvaluationStanding.BESIDE else found


def evaluation_with_public_cases(session: Session, user: User, evaluation_id: EvaluationId) -> Evaluation:
    """An own evaluation whose cases are public; on hidden phases nothing about single cases is shown."""
    _, evaluation = own_evaluation(session, user, evaluation_id)
    if evaluation.spec_version.spec.phases[evaluation.phase].hidden:
        detail = "The cases of this phase are hidden: verdicts are counted, and logs are shown in a public phase only."
        raise Forbidden(ErrorCode.HIDDEN_CASES, detail)
    return evaluation
