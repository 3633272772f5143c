"""Which of a team's attempts counts."""

import math
from collections.abc import Mapping, Sequence

from evaluator.ranking._rule import direction_of
from evaluator.spec import Board, Ranking


def deciding_metric(boards: Mapping[str, Board]) -> tuple[str, str]:
    """By which board and metric the best attempt at a task is found: the primary metric of its first board.

    Args:
        boards: the boards of the task, in the order of the challenge file; at least one.
    """
    name, board = next(iter(boards.items()))
    return name, board.primary or next(iter(board.metrics))


def choose_entry(
    ranking: Ranking, boards: Mapping[str, Board], attempts: Sequence[Mapping[tuple[str, str], float | None]]
) -> int:
    """The number of the attempt that counts under the rule's `entry`.

    "latest": the last one. "best": the one with the best `deciding_metric`, a missing value being worst; of equals
    the earliest. Where the metric is not installed, higher is taken for better.

    Args:
        ranking: the rule.
        boards: the boards of the attempts' task, in the order of the challenge file.
        attempts: values by (board, metric), oldest first, at least one.

    Raises:
        ValueError: there is no attempt.
    """
    if not attempts:
        raise ValueError("there is no attempt to choose from")
    if ranking.entry == "latest":
        return len(attempts) - 1
    board, metric = deciding_metric(boards)
    sign = -1.0 if direction_of(boards[board].metrics[metric]) == "lower" else 1.0

    def quality(number: int) -> float:
        value = attempts[number].get((board, metric))
        return -math.inf if value is None or math.isnan(value) else sign * value

    return max(range(len(attempts)), key=quality)
