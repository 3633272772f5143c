"""From scores to leaderboards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload, undefer

from evaluator.metrics.registry import Direction, UnknownMetric, lookup
from evaluator.ranking import Row, Standings, rank
from evaluator.spec import Board, Metric
from evaluator.spec import Challenge as Spec
from server.accounts.principals import Admin, User
from server.challenges.models import Challenge
from server.challenges.service import get_phase, is_sealed
from server.errors import Forbidden, NotFound
from server.evaluations.models import Evaluation, Score
from server.leaderboard.bases import InForce, differences, scored
from server.teams.models import Team


@dataclass(frozen=True)
class Entry:
    """What a team has on one board of a track, by metric; `differs` says why it is not of the base in force."""

    team: Team
    track: str
    board: str
    submitted_at: datetime
    scored_at: datetime | None
    scores: Mapping[str, Score]
    differs: tuple[str, ...] = ()

    @property
    def ranked(self) -> bool:
        """Whether its team is one of those that are ranked."""
        return not self.team.is_baseline and self.team.disqualified is None


@dataclass(frozen=True)
class Found:
    """What a phase has. otherwise: a team's latest evaluation of another base, unless one that counts came after it."""

    counted: list[Entry]
    otherwise: list[Entry]


def require_visible(challenge: Challenge, phase: str, viewer: User | None) -> None:
    """Raises unless the phase has a board that `viewer` may see; a sealed one is for admins until released."""
    if get_phase(challenge.spec, phase).board == "none":
        raise NotFound("no_board", f"Phase {phase!r} has no leaderboard.")
    if is_sealed(challenge, phase) and not isinstance(viewer, Admin):
        raise Forbidden(
            "board_sealed", f"The leaderboard of phase {phase!r} is sealed until the organizers release it."
        )


def entries(session: Session, challenge: Challenge, phase: str, now: InForce) -> Found:
    """What counts in `phase`: per team, track and board the latest or best evaluation of the base in force."""
    spec = challenge.spec
    scores = selectinload(Evaluation.scores)
    if spec.ranking.needs_cases:
        scores = scores.options(undefer(Score.per_case))
    evaluations = scored(session, challenge, phase, options=[scores])
    teams = {team.id: team for team in session.scalars(select(Team).where(Team.challenge_id == challenge.id))}
    found = Found([], [])
    for board in spec.boards:
        _of_board(found, board, evaluations, teams, now)
    return found


_Key = tuple[UUID, str]


def _of_board(
    found: Found, board: str, evaluations: Iterable[Evaluation], teams: Mapping[UUID, Team], now: InForce
) -> None:
    """Adds what `board` has to what was found; `evaluations` come oldest first."""
    spec = now.spec
    counted: dict[_Key, Evaluation] = {}
    others: dict[_Key, tuple[Evaluation, list[str]]] = {}
    for one in evaluations:
        if one.task != spec.boards[board].task:
            continue
        key = (one.team_id, one.track)
        differs = differences(one, board, now)
        if differs:
            others[key] = (one, differs)
        elif key not in counted or _replaces(one, counted[key], now):
            counted[key] = one
            if spec.ranking.entry == "latest":
                others.pop(key, None)
    found.counted.extend(_entry(one, board, teams, []) for one in counted.values())
    found.otherwise.extend(_entry(one, board, teams, differs) for one, differs in others.values())


def _entry(evaluation: Evaluation, board: str, teams: Mapping[UUID, Team], differs: Iterable[str]) -> Entry:
    return Entry(
        team=teams[evaluation.team_id],
        track=evaluation.track,
        board=board,
        submitted_at=evaluation.created_at,
        scored_at=_to_the_minute(evaluation.finished_at),
        scores={score.metric: score for score in evaluation.scores if score.board == board},
        differs=tuple(differs),
    )


def _to_the_minute(at: datetime | None) -> datetime | None:
    """When an evaluation ended depends on its containers, and on a hidden phase these shall not tell anything by it."""
    return None if at is None else at.replace(second=0, microsecond=0)


def _replaces(new: Evaluation, old: Evaluation, now: InForce) -> bool:
    if now.spec.ranking.entry == "latest":
        return True  # they come oldest first
    return _best_value(new, now) > _best_value(old, now)


def _best_value(evaluation: Evaluation, now: InForce) -> float:
    """The primary metric of the task's first board, turned so that higher is better."""
    name, board = next(iter(now.spec.boards_of(evaluation.task).items()))
    primary = board.primary or next(iter(board.metrics))
    value = next((one.value for one in evaluation.scores if (one.board, one.metric) == (name, primary)), None)
    if value is None or differences(evaluation, name, now):
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


def rows(found: Iterable[Entry], *, with_cases: bool = False) -> list[Row]:
    """The scores as the evaluator ranks them; teams go by their id, which no renaming changes.

    Who is disqualified is shown as a baseline is: with values, without a rank, moving nobody.
    """
    return [
        Row(
            team=str(entry.team.id),
            track=entry.track,
            board=entry.board,
            metric=metric,
            value=score.value,
            is_baseline=not entry.ranked,
            eligible=entry.team.eligible,
            per_case=score.per_case if with_cases else None,
        )
        for entry in found
        for metric, score in entry.scores.items()
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
