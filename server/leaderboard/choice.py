"""Which evaluation of each team counts on a board, decided before any score but those that decide is loaded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.statuses import EvaluationStatus
from evaluator.metrics import Direction
from evaluator.metrics.registry import UnknownMetric, lookup
from evaluator.spec import Metric
from server.challenges.models import Challenge
from server.evaluations.models import Evaluation, Score
from server.leaderboard.bases import InForce, Scored, differences, scored


@dataclass(frozen=True)
class Chosen:
    """An evaluation that a board shows for its team; `differs` says why it is not of the base in force."""

    board: str
    evaluation: Scored
    differs: tuple[str, ...] = ()


def chosen(session: Session, challenge: Challenge, phase: str, now: InForce) -> list[Chosen]:
    """Per team, track and board the latest or best evaluation of the base in force, and the latest of another one."""
    evaluations = scored(session, challenge, phase, shown=True)
    best = _Best(session, challenge, phase, now) if now.spec.ranking.entry == "best" else None
    return [one for board in now.spec.boards for one in _of_board(board, evaluations, now, best)]


def _of_board(
    board: str, evaluations: Sequence[Scored], now: InForce, best: "_Best | None"
) -> Iterator[Chosen]:
    """What `board` has; `evaluations` come oldest first."""
    counted: dict[tuple[UUID, str], Chosen] = {}
    others: dict[tuple[UUID, str], Chosen] = {}
    for one in evaluations:
        if one.task != now.spec.boards[board].task:
            continue
        key = (one.team_id, one.track)
        differs = differences(one, board, now)
        if differs:
            others[key] = Chosen(board, one, tuple(differs))
        elif best is None:
            counted[key] = Chosen(board, one)
            others.pop(key, None)
        elif key not in counted or best.replaces(one, counted[key].evaluation):
            counted[key] = Chosen(board, one)
    yield from counted.values()
    yield from others.values()


class _Best:
    """The values by which the best evaluation is found: of the primary metric of each task's first board."""

    def __init__(self, session: Session, challenge: Challenge, phase: str, now: InForce) -> None:
        self._now = now
        self._values: dict[UUID, float] = {}
        for task in now.spec.tasks:
            for name, board in list(now.spec.boards_of(task).items())[:1]:
                primary = board.primary or next(iter(board.metrics))
                sign = -1.0 if direction(board.metrics[primary]) == "lower" else 1.0
                found = _values(session, challenge, phase, task=task, board=name, metric=primary)
                self._values |= {evaluation: sign * value for evaluation, value in found.items()}

    def replaces(self, new: Scored, old: Scored) -> bool:
        """Whether `new`, which came later, is better; where the values of both are of two bases, which is in force."""
        board = next(iter(self._now.spec.boards_of(new.task)))
        of_now = [not differences(one, board, self._now) for one in (old, new)]
        if of_now[0] != of_now[1]:
            return of_now[1]
        if not of_now[1] and old.scored_with(board) != new.scored_with(board):
            return True  # neither is known to be better
        worst = float("-inf")
        return self._values.get(new.id, worst) > self._values.get(old.id, worst)


def _values(
    session: Session, challenge: Challenge, phase: str, *, task: str, board: str, metric: str
) -> Mapping[UUID, float]:
    """A metric's values, without those that have none."""
    rows = session.execute(
        select(Score.evaluation_id, Score.value)
        .join(Evaluation, Evaluation.id == Score.evaluation_id)
        .where(
            Evaluation.challenge_id == challenge.id,
            Evaluation.phase == phase,
            Evaluation.task == task,
            Evaluation.status == EvaluationStatus.SCORED,
            Score.board == board,
            Score.metric == metric,
        )
    )
    return {evaluation: value for evaluation, value in rows if value is not None}


def direction(metric: Metric) -> Direction | None:
    """What is better in a metric; None where it is no longer installed, and so cannot be ranked."""
    try:
        return lookup(metric.metric).direction
    except UnknownMetric:
        return None
