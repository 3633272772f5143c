"""What one may write to a participant of a submission: made of what the platform shows to its team, and no more."""

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from contract.statuses import EvaluationStatus
from contract.submissions import EvaluationOut, ScoreOut
from server.challenges.models import Challenge
from server.evaluations.models import Evaluation
from server.submissions.models import Submission
from server.submissions.views import evaluations_out

_STATES = {
    EvaluationStatus.QUEUED: "waits in the queue",
    EvaluationStatus.RUNNING: "is running",
    EvaluationStatus.SCORING: "has run and is being scored",
    EvaluationStatus.SCORED: "is scored",
    EvaluationStatus.REJECTED: "was rejected, and spends no attempt",
    EvaluationStatus.ERRORED: "ended by a fault of the platform, and spends no attempt",
    EvaluationStatus.CANCELLED: "was cancelled, and spends no attempt",
}


def text(session: Session, submission: Submission, evaluations: Sequence[Evaluation]) -> str:
    """The text, of these evaluations of the submission that its team sees."""
    challenge = session.get_one(Challenge, submission.challenge_id)
    shown = evaluations_out(session, submission, evaluations)
    begins = (
        f"Your submission {submission.id} to {challenge.slug}, phase {submission.phase}, track {submission.track}, of "
        f"{submission.created_at:%Y-%m-%d %H:%M} UTC:"
    )
    return "\n".join([begins, *(line for evaluation in shown for line in _lines(evaluation))])


def _lines(evaluation: EvaluationOut) -> Iterator[str]:
    state = _STATES.get(EvaluationStatus(evaluation.status), str(evaluation.status))
    active = evaluation.status in (EvaluationStatus.QUEUED, EvaluationStatus.RUNNING)
    progress = f", {evaluation.progress * 10} % done" if active and evaluation.progress else ""
    yield f"- {evaluation.task} (evaluation {evaluation.id}) {state}{progress}."
    if evaluation.failure is not None and evaluation.failure not in (evaluation.reason or ""):
        yield f"  The commonest failure: {evaluation.failure.replace('_', ' ')}."
    for said in (evaluation.reason, evaluation.note):
        if said:
            yield f"  {said}"
    for board, scores in evaluation.scores.items():
        told = ", ".join(f"{score.title or metric} {_score(score)}" for metric, score in scores.items())
        yield f"  {board}: {told}."


def _score(score: ScoreOut) -> str:
    return f"none ({score.reason})" if score.value is None else f"{score.value:g}"
