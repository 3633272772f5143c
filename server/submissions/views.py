"""What a participant may see of a submission.

How long a container runs is its own choice, and so a channel out of the hidden data. On hidden phases progress
therefore moves in tenths and on a coarse tick, and verdicts are counted only once the evaluation has ended.
"""

from collections import Counter
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evaluator.spec import Phase
from server.challenges.models import Challenge
from server.evaluations.models import CaseRun, Evaluation, Score
from server.evaluations.service import no_worker_note
from server.evaluations.status import ACTIVE, CaseStatus, EvaluationStatus
from server.submissions.models import Submission
from server.submissions.schemas import EvaluationOut, ScoreOut, SubmissionOut

TICK_SECONDS = 15


def submission_out(session: Session, submission: Submission) -> SubmissionOut:
    """A submission as its team sees it."""
    challenge = session.get_one(Challenge, submission.challenge_id)
    return SubmissionOut(
        id=submission.id,
        challenge=challenge.slug,
        team=submission.team_id,
        track=submission.track,
        phase=submission.phase,
        created_at=submission.created_at,
        evaluations=[
            evaluation_out(session, one, submission.images[one.task]) for one in submission.evaluations
        ],
    )


def evaluation_out(session: Session, evaluation: Evaluation, image: str) -> EvaluationOut:
    """An evaluation as its team sees it."""
    phase = evaluation.spec_version.spec.phases[evaluation.phase]
    active = evaluation.status in ACTIVE
    total = _count(session, evaluation.id)
    return EvaluationOut(
        id=evaluation.id,
        task=evaluation.task,
        image=image,
        status=evaluation.status,
        reason_code=evaluation.reason_code,
        reason=evaluation.reason,
        cases=total,
        progress=_tenths(session, evaluation, phase, total),
        note=no_worker_note(session, evaluation) if active else None,
        verdicts={} if active and phase.hidden else _verdicts(session, evaluation.id),
        scores=scores_out(evaluation, phase),
        created_at=evaluation.created_at,
        finished_at=evaluation.finished_at,
    )


def _count(session: Session, evaluation_id: UUID) -> int:
    return session.scalar(select(func.count()).where(CaseRun.evaluation_id == evaluation_id)) or 0


def _tenths(session: Session, evaluation: Evaluation, phase: Phase, total: int) -> int:
    if evaluation.status not in (EvaluationStatus.QUEUED, EvaluationStatus.RUNNING):
        return 10
    done = select(func.count()).where(
        CaseRun.evaluation_id == evaluation.id, CaseRun.status == CaseStatus.DONE.value
    )
    if phase.hidden:
        tick = func.to_timestamp(func.floor(func.extract("epoch", func.now()) / TICK_SECONDS) * TICK_SECONDS)
        done = done.where(CaseRun.finished_at <= tick)
    return 10 * (session.scalar(done) or 0) // max(total, 1)


def _verdicts(session: Session, evaluation_id: UUID) -> dict[str, int]:
    rows = session.execute(
        select(CaseRun.verdict, func.count())
        .where(CaseRun.evaluation_id == evaluation_id, CaseRun.verdict.is_not(None))
        .group_by(CaseRun.verdict)
    )
    return dict(Counter({str(verdict): count for verdict, count in rows}).most_common())


def scores_out(evaluation: Evaluation, phase: Phase) -> dict[str, dict[str, ScoreOut]]:
    """Values by board and metric; none while the phase's board is sealed."""
    if phase.board == "sealed":
        return {}
    boards: dict[str, dict[str, ScoreOut]] = {}
    for score in evaluation.scores:
        boards.setdefault(score.board, {})[score.metric] = _score(score, phase.decimals)
    return boards


def _score(score: Score, decimals: int) -> ScoreOut:
    value, low, high = (
        None if number is None else round(number, decimals) for number in (score.value, score.low, score.high)
    )
    return ScoreOut(value=value, low=low, high=high, reason=score.reason)
