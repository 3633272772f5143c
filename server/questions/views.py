"""Questions as participants see them."""

from contract.ids import TeamId
from contract.questions import QuestionOut
from contract.statuses import QuestionStatus
from server.questions.models import Question


def question_out(question: Question, team: TeamId | None) -> QuestionOut:
    """What a member of `team`, or nobody in particular, may read of a question that they may see."""
    if team is not None and question.team_id == team:
        return QuestionOut.of(
            question, own=True, submission=question.submission_id, asked_at=question.created_at
        )
    if question.status is not QuestionStatus.PUBLISHED:
        raise LookupError(f"question {question.id} is not for everybody")
    return QuestionOut.of(
        question, own=False, submission=None, text=question.published, published=None, asked_at=None
    )
