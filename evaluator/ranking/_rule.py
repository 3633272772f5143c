"""The ranking rule over arrays: one code for the standings, for a thousand replicates and for what-ifs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evaluator.metrics import Direction
from evaluator.metrics.registry import UnknownMetric, lookup
from evaluator.ranking._ties import Values, tied_ranks, whole_places
from evaluator.spec import Board, Metric, Ranking


@dataclass(frozen=True)
class Column:
    """One ranked metric of one board. per_case: it has a value for every case."""

    board: str
    metric: str
    higher_is_better: bool
    per_case: bool

    @property
    def key(self) -> tuple[str, str]:
        """Board and metric."""
        return (self.board, self.metric)


def direction_of(metric: Metric) -> Direction | None:
    """What is better in a metric of a board; None where it is not installed, and so cannot be ranked."""
    try:
        return lookup(metric.metric).direction
    except UnknownMetric:
        return None


def installed(boards: Mapping[str, Board]) -> dict[str, Board]:
    """The boards with the metrics that are installed, and without boards that have none of them."""
    found = {}
    for name, board in boards.items():
        metrics = {key: metric for key, metric in board.metrics.items() if direction_of(metric) is not None}
        if metrics:
            found[name] = board.model_copy(update={"metrics": metrics})
    return found


def columns_of(boards: Mapping[str, Board]) -> tuple[Column, ...]:
    """Every metric of every board, in the order of the challenge file.

    Raises:
        evaluator.metrics.registry.UnknownMetric: a metric does not exist.
    """
    columns = []
    for name, board in boards.items():
        for key, metric in board.metrics.items():
            plugin = lookup(metric.metric)
            columns.append(Column(name, key, plugin.direction == "higher", plugin.scope == "per_case"))
    return tuple(columns)


def ranked_columns(ranking: Ranking, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns as they are ranked.

    Per-case metrics are mean ranks, low is good, under "rank_then_mean", and numbers of wins under "test_then_rank".
    """
    if ranking.method == "mean_then_rank":
        return tuple(columns)
    higher = ranking.method == "test_then_rank"
    return tuple(
        replace(column, higher_is_better=higher) if column.per_case else column for column in columns
    )


@dataclass(frozen=True)
class Ranks:
    """What the rule makes of values.

    metrics: (..., metrics, teams), NaN where no team has a value. boards: (..., boards, teams), NaN where a board is
    left out of the team's mean. overall: (..., teams), NaN where nothing counts. places: (..., teams), whole numbers
    from 1.
    """

    metrics: Values
    boards: Values
    overall: Values
    places: npt.NDArray[np.intp]


def rank_values(ranking: Ranking, columns: Sequence[Column], values: Values) -> Ranks:
    """The whole rule, vectorised over every leading axis.

    What nobody has orders nobody: a metric without any value is no part of its board's mean, and a board without any
    none of a team's. Every team would have the first place there, and draw all means closer together.

    Args:
        ranking: the rule; a board without a weight has weight 0.
        columns: the columns as they are ranked (`ranked_columns`), those of one board side by side.
        values: shape (..., columns, teams), NaN where a team has no value; already rounded (`rounded`).
    """
    known = np.isfinite(values)
    metrics = np.empty(values.shape)
    for higher in (True, False):
        chosen = [number for number, column in enumerate(columns) if column.higher_is_better == higher]
        if chosen:
            part = values[..., chosen, :]
            metrics[..., chosen, :] = tied_ranks(part, ties=ranking.ties, higher_is_better=higher)
    metrics = np.where(known.any(axis=-1, keepdims=True), metrics, np.nan)
    names = list(dict.fromkeys(column.board for column in columns))
    boards = np.stack([_board(ranking, columns, name, metrics, known) for name in names], axis=-2)
    overall = mean_ranks(np.array([ranking.weights.get(name, 0.0) for name in names]), boards)
    return Ranks(metrics, boards, overall, whole_places(overall, ranking))


def _board(
    ranking: Ranking, columns: Sequence[Column], name: str, metrics: Values, known: npt.NDArray[np.bool_]
) -> Values:
    mine = [number for number, column in enumerate(columns) if column.board == name]
    has_board = known[..., mine, :].any(axis=-2)
    ranks = metrics[..., mine, :]
    counts = ~np.isnan(ranks)
    with np.errstate(invalid="ignore"):
        mean: Values = np.where(counts, ranks, 0).sum(axis=-2) / counts.sum(axis=-2)
    if ranking.rerank_boards:
        mean = tied_ranks(np.where(has_board, mean, np.nan), ties=ranking.ties, higher_is_better=False)
    told = has_board if ranking.missing_board == "excluded" else has_board.any(axis=-1, keepdims=True)
    return np.where(told, mean, np.nan)


def mean_ranks(weights: Values, boards: Values) -> Values:
    """Weighted means of the ranks of boards, (..., teams), over those that each team has; NaN where none counts.

    Args:
        weights: (boards,), with any sum.
        boards: (..., boards, teams) ranks, NaN where a board is left out of a team's mean.
    """
    counts = ~np.isnan(boards)
    total = (weights[:, None] * counts).sum(axis=-2)
    with np.errstate(invalid="ignore"):
        overall: Values = (weights[:, None] * np.where(counts, boards, 0)).sum(axis=-2) / total
    return overall


def rounded(ranking: Ranking, values: Values) -> Values:
    """`values` to the decimals of the rule; such as have no digits after the point stay what they are."""
    if ranking.round is None:
        return values
    with np.errstate(over="ignore"):  # NumPy multiplies first, and 1e308 has no room for that
        nearest = np.round(values, ranking.round)
    return np.where(np.isinf(nearest), values, nearest)
