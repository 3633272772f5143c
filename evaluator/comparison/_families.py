"""What is published of tests between teams: p after Holm's correction over the metric, and over the whole track."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.comparison._differences import PairBounds, Values
from evaluator.comparison._pairwise import step_down
from evaluator.comparison._places import tie_groups
from evaluator.comparison._published_pairs import MetricTests, PairTest
from evaluator.comparison._tests import ColumnTests
from evaluator.ranking import Table, ranked_columns
from evaluator.spec import Ranking

Teams = npt.NDArray[np.intp]


def families(
    ranking: Ranking,
    table: Table,
    tests: Mapping[int, ColumnTests | str],
    level: float,
    listed: Mapping[int, npt.NDArray[np.bool_]] | None = None,
) -> dict[int, MetricTests]:
    """The tests of each column, or why it has none, with every p corrected twice.

    A claim that one team is better than another is picked from all pairs of all metrics of the track, and holds at
    1 − level after the correction over all of them. listed: by column which pairs are told of, (teams, teams); of
    others all are. All are corrected for in either case.
    """
    told = listed or {}
    tested = {number: found for number, found in tests.items() if isinstance(found, ColumnTests)}
    pairs = {number: _tested_pairs(found.p) for number, found in tested.items()}
    every = [tested[number].p[chosen] for number, chosen in pairs.items()]
    corrected = step_down(np.concatenate(every)) if every else np.empty(0)
    sizes = np.cumsum([len(p) for p in every])[:-1]
    by_column = dict(zip(pairs, np.split(corrected, sizes), strict=True)) if every else {}
    return {
        number: MetricTests(test=None, reason=found)
        if isinstance(found, str)
        else _published(
            ranking, table, number, found, pairs[number], by_column[number], level, told.get(number)
        )
        for number, found in tests.items()
    }


def _tested_pairs(p: Values) -> tuple[Teams, Teams]:
    """The two numbers of each pair of teams that has a p."""
    first, second = np.nonzero(np.isfinite(np.triu(p, 1)) & ~np.tri(len(p), dtype=np.bool_))
    return first, second


def _published(
    ranking: Ranking,
    table: Table,
    number: int,
    tested: ColumnTests,
    pairs: tuple[Teams, Teams],
    in_track: Values,
    level: float,
    listed: npt.NDArray[np.bool_] | None,
) -> MetricTests:
    values, p = table.values[number], tested.p[pairs]
    adjusted = step_down(p)
    apart = np.zeros(tested.p.shape, dtype=np.bool_)
    apart[pairs] = in_track <= 1 - level
    ranked = table.ranked_values(ranking)[number]
    higher = ranked_columns(ranking, table.columns)[number].higher_is_better
    losses = -ranked if higher else ranked
    groups = tie_groups(losses, apart | apart.T)
    better = tested.superiority
    if listed is not None:
        told = listed[pairs]
        pairs, p, adjusted, in_track = (
            (pairs[0][told], pairs[1][told]),
            p[told],
            adjusted[told],
            in_track[told],
        )
    columns: dict[str, list[Any]] = {
        "teams": [(table.teams[one], table.teams[other]) for one, other in zip(*pairs, strict=True)],
        "difference": (values[pairs[0]] - values[pairs[1]]).tolist(),
        "effect": tested.effects[pairs].tolist(),
        **_bounds("", tested.bounds, pairs),
        "superiority": _numbers(None if better is None else better.values, pairs),
        **_bounds("superiority_", None if better is None else better.bounds, pairs),
        "p": p.tolist(),
        "adjusted": adjusted.tolist(),
        "adjusted_in_track": in_track.tolist(),
    }
    return MetricTests(
        test=tested.test,
        units=tested.units,
        scale=tested.scale,
        groups={
            table.teams[team]: int(groups[team])
            for team in np.argsort(losses, kind="stable").tolist()
            if np.isfinite(values[team])
        },
        pairs=tuple(
            PairTest(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)
        ),
    )


def _bounds(name: str, bounds: PairBounds | None, pairs: tuple[Teams, Teams]) -> dict[str, list[Any]]:
    low, high = (None, None) if bounds is None else (bounds.low, bounds.high)
    return {f"{name}low": _numbers(low, pairs), f"{name}high": _numbers(high, pairs)}


def _numbers(values: Values | None, pairs: tuple[Teams, Teams]) -> list[Any]:
    if values is None:
        return [None] * len(pairs[0])
    return [value if np.isfinite(value) else None for value in values[pairs].tolist()]
