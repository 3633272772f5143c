"""Which of a team's attempts counts."""

import math
from collections.abc import Mapping, Sequence

from evaluator.metrics.registry import lookup
from evaluator.spec import Board, Ranking


def choose_entry(
    ranking: Ranking, boards: Mapping[str, Board], attempts: Sequence[Mapping[tuple[str, str], float | None]]
) -> int:
    """The number of the attempt that counts under the rule's `entry`.

    "latest": the last one. "best": the one with the best primary metric of the task's first board, a missing
    value being worst; of equals the earliest.

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
    name, board = next(iter(boards.items()))
    primary = board.primary or next(iter(board.metrics))
    higher = lookup(board.metrics[primary].metric).direction == "higher"

    def quality(number: int) -> float:
        value = attempts[number].get((name, primary))
        if value is None or math.isnan(value):
            return -math.inf
        return value if higher else -value

    return max(range(len(attempts)), key=quality)
