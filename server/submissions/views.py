"""What a participant may see of a submission.

How long a container runs is its own choice, and so a channel out of the hidden data. On hidden phases progress
therefore moves in tenths and on a coarse tick, and verdicts are counted only once the evaluation has ended. Where a
budget ended it they are not: when an image begins to fail is its own choice too, and such an end costs no attempt.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evaluator.spec import Phase
from server.challenges.models import Challenge
from server.challenges.service import is_sealed, spec_of_phase
from server.datasets.models import Dataset, DatasetState
from server.evaluations import budgets, errors
from server.evaluations.models import CaseRun, Evaluation, Score
from server.evaluations.slots import Fleet, fleet, no_worker_note
from server.evaluations.status import ACTIVE, CaseStatus, EvaluationStatus
from server.leaderboard.values import note_of
from server.submissions.models import Submission
from server.submissions.schemas import EvaluationOut, ScoreOut, SubmissionOut

TICK_SECONDS = 15


@dataclass
class _Counts:
    """Case runs of one evaluation: all, done, done by the last tick, and done by verdict."""

    total: int = 0
    done: int = 0
    ticked: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)


def submission_out(session: Session, submission: Submission) -> SubmissionOut:
    """A submission as its team sees it."""
    return submissions_out(session, [submission])[0]


def submissions_out(session: Session, submissions: Sequence[Submission]) -> list[SubmissionOut]:
    """Submissions to one challenge as their team sees them."""
    if not submissions:
        return []
    challenge = session.get_one(Challenge, submissions[0].challenge_id)
    pairs = [(submission, one) for submission in submissions for one in submission.evaluations]
    shown = {one.id: one for one in _evaluations_out(session, challenge, pairs)}
    return [
        SubmissionOut(
            id=submission.id,
            challenge=challenge.slug,
            team=submission.team_id,
            track=submission.track,
            phase=submission.phase,
            created_at=submission.created_at,
            evaluations=[shown[one.id] for one in submission.evaluations],
        )
        for submission in submissions
    ]


def evaluations_out(
    session: Session, submission: Submission, evaluations: Sequence[Evaluation]
) -> list[EvaluationOut]:
    """Evaluations of one submission as its team sees them."""
    challenge = session.get_one(Challenge, submission.challenge_id)
    return _evaluations_out(session, challenge, [(submission, one) for one in evaluations])


def _evaluations_out(
    session: Session, challenge: Challenge, pairs: Sequence[tuple[Submission, Evaluation]]
) -> list[EvaluationOut]:
    """A handful of queries, however many there are."""
    evaluations = [one for _, one in pairs]
    counts = _counts(session, [one.id for one in evaluations])
    datasets = select(Dataset).where(Dataset.id.in_({one.dataset_id for one in evaluations}))
    states = {one.id: DatasetState(one.state) for one in session.scalars(datasets)}
    active = [one for one in evaluations if one.status in ACTIVE]
    known = fleet(session) if active else None
    stalled = errors.stalled(session, [one.id for one in active])
    return [
        _evaluation(
            one,
            submission.images[one.task],
            counts.get(one.id, _Counts()),
            note=_note(one, states[one.dataset_id], stalled, known),
            sealed=_is_sealed(challenge, one),
        )
        for submission, one in pairs
    ]


def _is_sealed(challenge: Challenge, evaluation: Evaluation) -> bool:
    spec = spec_of_phase(challenge, evaluation.phase, version=evaluation.spec_version)
    return is_sealed(challenge, evaluation.phase, spec=spec)


_SCORED_EARLIER = (
    "Scored on an earlier version of the cases: the organizers have changed them since. It is not ranked any more "
    "and spends no attempt."
)
_RUNS_EARLIER = (
    "It runs on an earlier version of the cases: the organizers have changed them since. It will not be ranked "
    "and will spend no attempt; until it ends it holds one."
)


def _note(
    evaluation: Evaluation, state: DatasetState, stalled: Collection[UUID], known: Fleet | None
) -> str | None:
    """What its team has to know of an evaluation beside its status; the weightiest only."""
    if (old := _old_cases_note(evaluation, state)) is not None:
        return old
    if evaluation.id in stalled:
        return errors.STALLED
    return None if known is None else no_worker_note(evaluation, known)


def _old_cases_note(evaluation: Evaluation, cases: DatasetState) -> str | None:
    if cases is DatasetState.ACTIVE:
        return None
    if evaluation.status in ACTIVE:
        return _RUNS_EARLIER
    return _SCORED_EARLIER if evaluation.status == EvaluationStatus.SCORED.value else None


def _evaluation(
    evaluation: Evaluation, image: str, counts: _Counts, *, note: str | None, sealed: bool
) -> EvaluationOut:
    phase = evaluation.spec_version.spec.phases[evaluation.phase]
    active = evaluation.status in ACTIVE
    return EvaluationOut(
        id=evaluation.id,
        task=evaluation.task,
        image=image,
        status=evaluation.status,
        reason_code=evaluation.reason_code,
        reason=evaluation.reason,
        cases=counts.total,
        progress=_tenths(evaluation, phase, counts),
        note=note,
        verdicts={}
        if phase.hidden and (active or evaluation.reason_code in budgets.CODES)
        else counts.verdicts,
        scores={} if sealed else _scores(evaluation, phase),
        created_at=evaluation.created_at,
        finished_at=evaluation.finished_at,
    )


def _counts(session: Session, evaluation_ids: Sequence[UUID]) -> dict[UUID, _Counts]:
    tick = func.to_timestamp(func.floor(func.extract("epoch", func.now()) / TICK_SECONDS) * TICK_SECONDS)
    rows = session.execute(
        select(
            CaseRun.evaluation_id,
            CaseRun.verdict,
            func.count(),
            func.count().filter(CaseRun.status == CaseStatus.DONE.value),
            func.count().filter(CaseRun.status == CaseStatus.DONE.value, CaseRun.finished_at <= tick),
        )
        .where(CaseRun.evaluation_id.in_(evaluation_ids))
        .group_by(CaseRun.evaluation_id, CaseRun.verdict)
        .order_by(func.count().desc())
    )
    found: dict[UUID, _Counts] = {}
    for evaluation_id, verdict, total, done, ticked in rows:
        counts = found.setdefault(evaluation_id, _Counts())
        counts.total += total
        counts.done += done
        counts.ticked += ticked
        if verdict is not None:
            counts.verdicts[verdict] = total
    return found


def _tenths(evaluation: Evaluation, phase: Phase, counts: _Counts) -> int:
    if evaluation.status not in (EvaluationStatus.QUEUED, EvaluationStatus.RUNNING):
        return 10
    return 10 * (counts.ticked if phase.hidden else counts.done) // max(counts.total, 1)


def _scores(evaluation: Evaluation, phase: Phase) -> dict[str, dict[str, ScoreOut]]:
    if evaluation.status != EvaluationStatus.SCORED:
        return {}
    found = {(score.board, score.metric): score for score in evaluation.scores}
    return {
        name: {
            metric: _score(found[name, metric], phase.decimals)
            for metric in board.metrics
            if (name, metric) in found
        }
        for name, board in evaluation.spec_version.spec.boards_of(evaluation.task).items()
    }


def _score(score: Score, decimals: int) -> ScoreOut:
    value, low, high = (
        None if number is None else round(number, decimals) for number in (score.value, score.low, score.high)
    )
    return ScoreOut(value=value, low=low, high=high, reason=score.reason, note=note_of(score))
