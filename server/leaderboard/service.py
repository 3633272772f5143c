"""From scores to leaderboards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, selectinload, undefer

from evaluator.metrics.registry import Direction, UnknownMetric, lookup
from evaluator.ranking import Row, Standings, rank
from evaluator.spec import Board, Metric
from evaluator.spec import Challenge as Spec
from server.accounts.principals import Admin, User
from server.challenges.models import Challenge
from server.challenges.service import comparable_versions, get_phase, is_sealed, versions_like
from server.datasets.models import IN_FORCE, Dataset
from server.errors import Forbidden, NotFound
from server.evaluations.models import Evaluation, Score
from server.evaluations.status import EvaluationStatus
from server.teams.models import Team


@dataclass(frozen=True)
class Entry:
    """The evaluation that counts for one team, track and task."""

    team: Team
    track: str
    task: str
    submitted_at: datetime
    scores: Mapping[tuple[str, str], Score]


def require_visible(challenge: Challenge, phase: str, viewer: User | None) -> None:
    """Raises unless the phase has a board that `viewer` may see; a sealed one is for admins until released."""
    if get_phase(challenge.spec, phase).board == "none":
        raise NotFound("no_board", f"Phase {phase!r} has no leaderboard.")
    if is_sealed(challenge, phase) and not isinstance(viewer, Admin):
        raise Forbidden(
            "board_sealed", f"The leaderboard of phase {phase!r} is sealed until the organizers release it."
        )


def entries(session: Session, challenge: Challenge, phase: str) -> list[Entry]:
    """What counts in `phase`: per team, track and task the latest or best evaluation.

    Evaluations of the present version count, and of others that are comparable with it.
    """
    spec = challenge.spec
    chosen: dict[tuple[UUID, str, str], Evaluation] = {}
    scores = selectinload(Evaluation.scores)
    if spec.ranking.needs_cases:
        scores = scores.options(undefer(Score.per_case))
    versions = comparable_versions(session, challenge)
    for evaluation in session.scalars(_scored(challenge, phase, versions).options(scores)):
        key = (evaluation.team_id, evaluation.track, evaluation.task)
        if key not in chosen or _replaces(spec, evaluation, chosen[key]):
            chosen[key] = evaluation
    teams = {team.id: team for team in session.scalars(select(Team).where(Team.challenge_id == challenge.id))}
    return [
        Entry(
            team=teams[team_id],
            track=track,
            task=task,
            submitted_at=evaluation.created_at,
            scores={(score.board, score.metric): score for score in evaluation.scores},
        )
        for (team_id, track, task), evaluation in chosen.items()
    ]


def _scored(challenge: Challenge, phase: str, versions: Sequence[UUID]) -> Select[Evaluation]:
    return (
        select(Evaluation)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(
            IN_FORCE,
            Evaluation.challenge_id == challenge.id,
            Evaluation.phase == phase,
            Evaluation.status == EvaluationStatus.SCORED.value,
            Evaluation.spec_version_id.in_(versions),
        )
        .order_by(Evaluation.created_at, Evaluation.id)
    )


def _replaces(spec: Spec, new: Evaluation, old: Evaluation) -> bool:
    if spec.ranking.entry == "latest":
        return True  # they come oldest first
    return _best_value(spec, new) > _best_value(spec, old)


def _best_value(spec: Spec, evaluation: Evaluation) -> float:
    """The primary metric of the task's first board, turned so that higher is better."""
    name, board = next(iter(spec.boards_of(evaluation.task).items()))
    primary = board.primary or next(iter(board.metrics))
    value = next((one.value for one in evaluation.scores if (one.board, one.metric) == (name, primary)), None)
    if value is None:
        return float("-inf")
    return value if direction(board.metrics[primary]) != "lower" else -value


def direction(metric: Metric) -> Direction | None:
    """What is better in a metric; None where it is no longer installed, and so cannot be ranked."""
    try:
        return lookup(metric.metric).direction
    except UnknownMetric:
        return None


def rankable(spec: Spec) -> dict[str, Board]:
    """The boards with the metrics that are installed, and without boards that have none of them."""
    found = {}
    for name, board in spec.boards.items():
        metrics = {key: one for key, one in board.metrics.items() if direction(one) is not None}
        if metrics:
            found[name] = board.model_copy(update={"metrics": metrics})
    return found


def other_versions(session: Session, challenge: Challenge, phase: str) -> int:
    """How many scored evaluations belong to versions of the challenge file that are not comparable, and are hidden."""
    query = select(func.count(Evaluation.id)).join(Dataset, Dataset.id == Evaluation.dataset_id)
    query = query.where(
        IN_FORCE,
        Evaluation.challenge_id == challenge.id,
        Evaluation.phase == phase,
        Evaluation.status == EvaluationStatus.SCORED.value,
        Evaluation.spec_version_id.not_in(comparable_versions(session, challenge)),
    )
    return session.scalar(query) or 0


def hidden_by(session: Session, challenge: Challenge, spec: Spec) -> dict[str, int]:
    """How many scored evaluations each phase's board would no longer show if `spec` became the present version."""
    kept = set(versions_like(session, challenge, spec))
    shown = comparable_versions(session, challenge)
    counts = session.execute(
        select(Evaluation.phase, Evaluation.spec_version_id, func.count())
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(
            IN_FORCE,
            Evaluation.challenge_id == challenge.id,
            Evaluation.status == EvaluationStatus.SCORED.value,
            Evaluation.spec_version_id.in_(shown),
        )
        .group_by(Evaluation.phase, Evaluation.spec_version_id)
    )
    lost: dict[str, int] = {}
    for phase, version, count in counts:
        if version not in kept or phase not in spec.phases:
            lost[phase] = lost.get(phase, 0) + count
    return lost


def rows(found: Iterable[Entry], *, with_cases: bool = False) -> list[Row]:
    """The scores as the evaluator ranks them; teams go by their id, which no renaming changes."""
    return [
        Row(
            team=str(entry.team.id),
            track=entry.track,
            board=board,
            metric=metric,
            value=score.value,
            is_baseline=entry.team.is_baseline,
            eligible=entry.team.eligible,
            per_case=score.per_case if with_cases else None,
        )
        for entry in found
        for (board, metric), score in entry.scores.items()
    ]


def standings(spec: Spec, found: Iterable[Entry]) -> Standings:
    """Places within each track, by the metrics that are installed."""
    boards = rankable(spec)
    if not sum(spec.ranking.weights[name] for name in boards) > 0:
        return Standings({})
    metrics = {(name, key) for name, board in boards.items() for key in board.metrics}
    scored = rows(found, with_cases=spec.ranking.needs_cases)
    scored = [row for row in scored if (row.board, row.metric) in metrics]
    return rank(spec.ranking, boards, scored)
