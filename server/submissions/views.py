"""What a participant may see of a submission.

What a container does, and how long it takes, is its own choice, and so a channel out of the hidden data. On hidden
phases starts, ends and progress, in quarters, are therefore shown on a grid of moments (see `ticks`), a rejected
evaluation tells the commonest class of its failures alone, and verdicts are counted only where scoring spent an
attempt. What a season can tell all the same is in docs/security.md.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.statuses import CaseStatus, EvaluationStatus
from contract.submissions import EvaluationOut, QueuedOut, QuotaOut, ScoreOut, SubmissionOut
from evaluator.spec import Phase
from evaluator.verdicts import VALID, Check, Fault, code_of, commonest
from server.challenges.models import Challenge
from server.challenges.service import is_sealed, spec_of_phase
from server.clock import now
from server.datasets.models import Dataset, DatasetState
from server.evaluations import budgets, errors, ticks
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.result_models import Score
from server.evaluations.status import ACTIVE
from server.queue.places import place, places_of
from server.queue.slots import fleet, no_worker_note
from server.submissions.models import Submission
from server.submissions.quota import TeamQuota

QUARTERS = 4
"""Parts of a hidden phase's progress: few, for each tells the moment at which it is reached."""


@dataclass
class _Counts:
    """Case runs of one evaluation: all, done, done and shown to its team, and done by verdict."""

    total: int = 0
    done: int = 0
    shown: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)


def quota_out(quota: TeamQuota) -> QuotaOut:
    """What is left of a team's attempts, and of the evaluations that may be rejected in seven days."""
    failures = quota.rejections
    return QuotaOut.of(
        quota.attempts,
        rejected_per_week=failures.most,
        rejected=len(failures.failed),
        rejected_left=failures.left,
        rejected_next_at=failures.next_at,
    )


def submission_out(session: Session, submission: Submission) -> SubmissionOut:
    """A submission as its team sees it."""
    return submissions_out(session, [submission])[0]


def submissions_out(session: Session, submissions: Sequence[Submission]) -> list[SubmissionOut]:
    """Submissions to one challenge as their team sees them."""
    if not submissions:
        return []
    challenge = session.get_one(Challenge, submissions[0].challenge_id)
    pairs = [(submission, evaluation) for submission in submissions for evaluation in submission.evaluations]
    shown = {evaluation.id: evaluation for evaluation in _evaluations_out(session, challenge, pairs)}
    return [
        SubmissionOut.of(
            submission,
            challenge=challenge.slug,
            team=submission.team_id,
            hidden=any(evaluation.is_hidden for evaluation in submission.evaluations),
            evaluations=[shown[str(evaluation.id)] for evaluation in submission.evaluations],
        )
        for submission in submissions
    ]


def evaluations_out(
    session: Session, submission: Submission, evaluations: Sequence[Evaluation]
) -> list[EvaluationOut]:
    """Evaluations of one submission as its team sees them."""
    challenge = session.get_one(Challenge, submission.challenge_id)
    return _evaluations_out(session, challenge, [(submission, evaluation) for evaluation in evaluations])


def _evaluations_out(
    session: Session, challenge: Challenge, pairs: Sequence[tuple[Submission, Evaluation]]
) -> list[EvaluationOut]:
    """A handful of queries, however many there are."""
    evaluations = [evaluation for _, evaluation in pairs]
    counts = _counts(session, [evaluation.id for evaluation in evaluations])
    datasets = select(Dataset).where(Dataset.id.in_({evaluation.dataset_id for evaluation in evaluations}))
    states = {dataset.id: dataset.state for dataset in session.scalars(datasets)}
    at = None if session.info.get(ticks.AT_ONCE) else now(session)
    shown = {
        evaluation.id: _status(evaluation, counts.get(evaluation.id, _Counts()), at)
        for evaluation in evaluations
    }
    active = [evaluation for evaluation in evaluations if shown[evaluation.id] in ACTIVE]
    known = fleet(session) if active else None
    waits = {row.id: no_worker_note(row, known, shown[row.id]) for row in active} if known else {}
    queued = {found for found, status in shown.items() if status is EvaluationStatus.QUEUED}
    places = places_of(session, queued) if queued else {}
    stalled = errors.stalled(session, [evaluation.id for evaluation in active])
    return [
        _evaluation(
            evaluation,
            submission.images[evaluation.task],
            counts.get(evaluation.id, _Counts()),
            shown[evaluation.id],
            note=_note(evaluation, shown[evaluation.id], states[evaluation.dataset_id], stalled)
            or waits.get(evaluation.id),
            sealed=_is_sealed(challenge, evaluation),
            queue=place(evaluation, places, waits=bool(waits.get(evaluation.id)))
            if evaluation.id in queued
            else None,
        )
        for submission, evaluation in pairs
    ]


def _status(evaluation: Evaluation, counts: _Counts, at: datetime | None) -> EvaluationStatus:
    """The status as its team sees it at `at`; without, as it is."""
    status, queued = evaluation.status, EvaluationStatus.QUEUED
    if at is None or status is queued or not evaluation.is_hidden:
        return status
    began = evaluation.created_at
    if evaluation.finished_at is not None and ticks.shown_at(began, evaluation.finished_at) <= at:
        return status
    if evaluation.started_at is None or ticks.shown_at(began, evaluation.started_at) > at:
        return queued
    return status if status is EvaluationStatus.SCORING and counts.shown == counts.total else _RUNNING


_RUNNING = EvaluationStatus.RUNNING


def _is_sealed(challenge: Challenge, evaluation: Evaluation) -> bool:
    spec = spec_of_phase(challenge, evaluation.phase, version=evaluation.spec_version)
    return is_sealed(challenge, evaluation.phase, spec=spec)


VOIDED = "The organizers took it off the boards, and it spends no attempt. Their reason: {why}"
_SCORED_EARLIER = (
    "Scored on an earlier version of the cases: the organizers have changed them since. It is not ranked any more "
    "and spends no attempt."
)
_RUNS_EARLIER = (
    "It runs on an earlier version of the cases: the organizers have changed them since. It will not be ranked "
    "and will spend no attempt; until it ends it holds one."
)


def _note(
    evaluation: Evaluation,
    status: EvaluationStatus,
    state: DatasetState,
    stalled: Collection[EvaluationId],
) -> str | None:
    """What its team has to know of an evaluation beside its status and what it waits for; the weightiest only."""
    if evaluation.voided is not None:
        return VOIDED.format(why=evaluation.voided)
    if (old := _old_cases_note(status, state)) is not None:
        return old
    return errors.STALLED if evaluation.id in stalled else None


def _old_cases_note(status: EvaluationStatus, cases: DatasetState) -> str | None:
    if cases is DatasetState.ACTIVE:
        return None
    if status in ACTIVE:
        return _RUNS_EARLIER
    return _SCORED_EARLIER if status is EvaluationStatus.SCORED else None


def _evaluation(
    evaluation: Evaluation,
    image: str,
    counts: _Counts,
    status: EvaluationStatus,
    *,
    note: str | None,
    sealed: bool,
    queue: QueuedOut | None,
) -> EvaluationOut:
    phase = evaluation.spec_version.spec.phases[evaluation.phase]
    active = status in ACTIVE
    told = status is EvaluationStatus.SCORED and not sealed
    return EvaluationOut.of(
        evaluation,
        image=image,
        status=status,
        reason_code=None if active else evaluation.reason_code,
        reason=None if active else evaluation.reason,
        failure=_failure(evaluation, counts) if status is EvaluationStatus.REJECTED else None,
        cases=counts.total,
        progress=_tenths(status, phase, counts),
        note=note,
        queue=queue,
        verdicts=counts.verdicts if not phase.hidden or status is EvaluationStatus.SCORED else {},
        scores=_scores(evaluation, phase) if told else {},
        bootstraps=evaluation.bootstraps if told else {},
        finished_at=None if active else _finished_at(evaluation),
    )


def _failure(evaluation: Evaluation, counts: _Counts) -> str | None:
    """The class of failure that rejected it; None where it only took too long."""
    if evaluation.reason_code == "run_invalid":
        return code_of(Fault.OUTPUT_INVALID, Check.EQUAL_WIDTH)
    failed = {code: count for code, count in counts.verdicts.items() if code != VALID}
    return commonest(failed) if failed and evaluation.reason_code != budgets.OUT_OF_TIME else None


def _finished_at(evaluation: Evaluation) -> datetime | None:
    if evaluation.finished_at is None or not evaluation.is_hidden:
        return evaluation.finished_at
    return ticks.shown_at(evaluation.created_at, evaluation.finished_at)


def _counts(session: Session, evaluation_ids: Sequence[EvaluationId]) -> dict[EvaluationId, _Counts]:
    done = CaseRun.status == CaseStatus.DONE
    rows = session.execute(
        select(
            CaseRun.evaluation_id,
            CaseRun.verdict,
            func.count(),
            func.count().filter(done),
            func.count().filter(done, ticks.is_shown(session, CaseRun.finished_at)),
        )
        .join(Evaluation, Evaluation.id == CaseRun.evaluation_id)
        .where(CaseRun.evaluation_id.in_(evaluation_ids))
        .group_by(CaseRun.evaluation_id, CaseRun.verdict)
        .order_by(func.count().desc(), CaseRun.verdict)
    )
    found: dict[EvaluationId, _Counts] = {}
    for evaluation_id, verdict, total, ended, shown in rows:
        counts = found.setdefault(evaluation_id, _Counts())
        counts.total += total
        counts.done += ended
        counts.shown += shown
        if verdict is not None:
            counts.verdicts[verdict] = total
    return found


def _tenths(status: EvaluationStatus, phase: Phase, counts: _Counts) -> int:
    if status not in (EvaluationStatus.QUEUED, EvaluationStatus.RUNNING):
        return 10
    total = max(counts.total, 1)
    if phase.hidden:
        return 10 * (QUARTERS * counts.shown // total) // QUARTERS if status is _RUNNING else 0
    return 10 * counts.done // total


def _scores(evaluation: Evaluation, phase: Phase) -> dict[str, dict[str, ScoreOut]]:
    found = {(score.board, score.metric): score for score in evaluation.scores}
    return {
        name: {
            key: _score(found[name, key], metric.title or key, phase.decimals)
            for key, metric in board.metrics.items()
            if (name, key) in found
        }
        for name, board in evaluation.spec_version.spec.boards_of(evaluation.task).items()
    }


def _score(score: Score, title: str, decimals: int) -> ScoreOut:
    value, low, high = (
        None if number is None else round(number, decimals) for number in (score.value, score.low, score.high)
    )
    return ScoreOut.of(score, title=title, value=value, low=low, high=high)
