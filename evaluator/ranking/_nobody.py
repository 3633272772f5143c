"""What counts for nobody, as no team has a value there: it is gone from every table, and its weight from the means."""

from collections.abc import Iterator, Mapping, Sequence

from evaluator.ranking._standings import Standing
from evaluator.spec import Board, Ranking


def for_nobody(
    ranking: Ranking, boards: Mapping[str, Board], standings: Sequence[Standing], *, titles: bool = False
) -> str | None:
    """The boards and metrics that count for nobody of a track, in a sentence; None where all count for somebody.

    Args:
        ranking: the rule; what has no weight under it counts anyhow for nobody, and is not named.
        boards: the challenge's.
        standings: the track's.
        titles: whether boards are called by their titles instead of their names in the challenge file.
    """
    ranked = [standing for standing in standings if not standing.baseline]
    if not ranked:
        return None
    total = sum(ranking.weights.values())
    absent = [
        said
        for name, board in boards.items()
        if (weight := ranking.weights.get(name, 0)) > 0
        for said in _absent(name, board, ranked, weight / total, board.title if titles else name)
    ]
    if not absent:
        return None
    counts = "it counts" if len(absent) == 1 else "they count"
    return f"{', '.join(absent)}: no team has a value there, so {counts} for nobody."


def _absent(name: str, board: Board, ranked: Sequence[Standing], share: float, called: str) -> Iterator[str]:
    empty = [key for key in board.metrics if all(standing.values[name][key] is None for standing in ranked)]
    if len(empty) == len(board.metrics):
        yield f"{called} ({share:.0%})"
    else:
        yield from (f"{board.metrics[key].title or key} of {called}" for key in empty)
