"""Which places of a track and its boards are sure: the rule over draws of the values' errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.comparison._centres import centres
from evaluator.comparison._errors import Errors
from evaluator.comparison._rank_sets import RankSets, rank_sets
from evaluator.ranking import Column, Ranks, Table, Values, rank_values, ranked_columns, rounded
from evaluator.spec import Ranking

_FLOOR = 0.5  # of the median standard error of a pair's mean ranks, which are steps


@dataclass(frozen=True)
class SurePlaces:
    """Sets of places over all boards and of each board; None where a metric does not say how far it moves.

    Over several metrics, a set is of the place by the mean rank that the rule gives on average over test sets of this
    size; over one metric it is of the place by the value itself, which is the same order. by_value: whether that is so
    over all boards.
    """

    overall: RankSets | None
    boards: Mapping[str, RankSets | None]
    by_value: bool


def sure_places(ranking: Ranking, table: Table, ranks: Ranks, errors: Errors, level: float) -> SurePlaces:
    """The sets of places of a track.

    Args:
        ranking: the rule.
        table: the teams and columns.
        ranks: what the rule makes of them.
        errors: of the values that the rule ranks.
        level: such as 0.95.
    """
    values = table.ranked_values(ranking)
    exact = table.ranked_values(ranking.model_copy(update={"round": None}))
    columns = ranked_columns(ranking, table.columns)
    drawn = rank_values(
        ranking, columns, _drawn(ranking, columns, centres(values, errors.draws), errors.draws)
    )
    names = list(dict.fromkeys(column.board for column in columns))
    counting = [column for column, row in zip(table.columns, values, strict=True) if np.isfinite(row).any()]

    def sets(boards: Sequence[str], observed: Values, means: Values) -> RankSets | None:
        mine = [column for column in counting if column.board in boards]
        if not errors.known_of(mine):
            return None
        dense = ranking.ties == "dense"
        if len(mine) == 1:
            number = table.columns.index(mine[0])
            sign = -1.0 if columns[number].higher_is_better else 1.0
            losses = np.where(np.isfinite(observed), sign * _together(exact[number], values[number]), np.nan)
            return rank_sets(losses, sign * errors.draws[:, number], level, dense=dense)
        return rank_sets(observed, means, level, floor=_FLOOR, dense=dense)

    weighed = [name for name in names if ranking.weights.get(name, 0) > 0]
    boards = {}
    for place, name in enumerate(names):
        mine = [number for number, column in enumerate(columns) if column.board == name]
        has_board = np.isfinite(values[mine]).any(axis=0)
        boards[name] = sets([name], np.where(has_board, ranks.boards[place], np.nan), drawn.boards[:, place])
    by_value = sum(column.board in weighed for column in counting) == 1
    return SurePlaces(sets(weighed, ranks.overall, drawn.overall), boards, by_value)


def _together(exact: Values, ranked: Values) -> Values:
    """Values as exact as their errors, but of teams that rounding makes equal their mean: none of them is ahead."""
    groups = np.unique(ranked, return_inverse=True)[1]
    means: Values = np.bincount(groups, exact) / np.bincount(groups)
    return means[groups]


def _drawn(ranking: Ranking, columns: Sequence[Column], around: Values, errors: Values) -> Values:
    """The values of each draw, rounded where the rule ranks rounded values."""
    values = around + errors
    plain = [
        number
        for number, column in enumerate(columns)
        if ranking.method == "mean_then_rank" or not column.per_case
    ]
    values[:, plain] = rounded(ranking, values[:, plain])
    return values
