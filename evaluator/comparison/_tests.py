"""Which test a metric gets, the intervals beside it, and the one family that all tests of a track are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.comparison._differences import (
    Differences,
    Distribution,
    PairBounds,
    Superiority,
    superiority,
)
from evaluator.comparison._entrants import Entrant
from evaluator.comparison._pairwise import permutation_test, signed_rank_test
from evaluator.comparison._seeds import seeds_influence
from evaluator.interval_methods import Method
from evaluator.metrics import MetricPlugin, Test
from evaluator.metrics.influence import of_mean
from evaluator.metrics.registry import lookup
from evaluator.ranking import RankingError, Table, Values
from evaluator.spec import Board, Ranking

_MOST_TEAMS = 50  # of the permutation test, whose cost grows with their square
_CALLED = {"t": "paired t", "delong": "DeLong, t", "influence": "influence, t"}
_DISTRIBUTIONS: dict[Test, Distribution] = {"t": "t", "delong": "delong", "influence": "estimated"}
_UNTOLD = "The reports do not say how much each subject moves it, which a test needs."
_SPLITS = (
    "Splits are drawn with the cases, and the reports do not say how much each moves it, which a test needs."
)


@dataclass(frozen=True)
class ColumnTests:
    """The test of a column between all teams: its name, what was resampled or flipped, and p, (teams, teams).

    effects: the differences on `scale`, None for the metric's own. bounds: of the effects, for all pairs at once.
    superiority: for metrics with values per case.
    """

    test: str
    units: int
    p: Values
    scale: Method | None
    effects: Values
    bounds: PairBounds
    superiority: Superiority | None


def tested_column(
    ranking: Ranking,
    board: Board,
    table: Table,
    number: int,
    entrants: Sequence[Entrant],
    *,
    digest: str,
    level: float,
) -> ColumnTests | str:
    """Tests between all teams in column `number`, the most exact one that the reports allow; or why there is none.

    Values per case, each case its own subject: sign-flip permutation of what the rule averages, for up to 50
    teams, or signed ranks where the rule takes medians. Everything else: from influence vectors, which are per
    subject or site, and per seed of a probe where seeds are drawn; by Student's t, and on the scale of the metric's
    intervals but for means. The bounds are from influence vectors in either case.

    Raises:
        RankingError: influence vectors or per-case values of different lengths.
    """
    column, cases = table.columns[number], table.cases.get(number)
    influence = _influence(table, number, entrants)
    scored = int(np.isfinite(table.values[number]).sum())
    if scored < 2:
        return "Fewer than two teams have a value."
    single = cases is not None and (influence is None or influence.shape[1] == cases.shape[1])
    if influence is None and column.per_case and cases is not None:
        influence = _of_means(cases)
    if influence is None:
        return _lacking(table, number, entrants) or _UNTOLD
    seeds = seeds_influence(column, table.teams, entrants)
    if seeds is None:
        return _SPLITS
    metric = lookup(board.metrics[column.metric].metric)
    differences = metric_differences(metric, table.values[number], np.hstack([influence, seeds]))
    scale = metric.interval.method if differences.scaled else None
    bounds = differences.bounds(level) if scale else _within(metric, differences.bounds(level))
    test, units, p, better = _CALLED[metric.test], influence.shape[1], differences.p(), None
    if column.per_case and cases is not None:
        better = superiority(cases, higher_is_better=column.higher_is_better, level=level, independent=single)
        if single and scored <= _MOST_TEAMS:
            test, p = _of_cases(ranking, table, number, digest)
    return ColumnTests(test, units, p, scale, differences.values, bounds, better)


def metric_differences(metric: MetricPlugin, values: Values, influence: Values) -> Differences:
    """Differences of all pairs as the metric's row says; values: (teams,), influence: (teams, units)."""
    scale = metric.interval.scale if metric.test == "influence" else None
    return Differences.of(values, influence, distribution=_DISTRIBUTIONS[metric.test], scale=scale)


def _lacking(table: Table, number: int, entrants: Sequence[Entrant]) -> str | None:
    """What the first team's score lacks that was stored before influence values were, if there is one."""
    by_team = {entrant.team: entrant for entrant in entrants}
    for team in table.teams:
        metric = by_team[team].metric(*table.columns[number].key)
        if metric is not None and metric.lacks is not None:
            return f"{team}: {metric.lacks}"
    return None


def _of_cases(ranking: Ranking, table: Table, number: int, digest: str) -> tuple[str, Values]:
    """Name and p-values of the test of what the rule makes of single cases.

    Swapping two teams' values in a case swaps their ranks in it, so ranks may be permuted like values.
    """
    if ranking.method == "rank_then_mean":
        terms = table.case_terms(ranking, number)
        return "paired permutation of ranks", permutation_test(terms, digest=digest)
    if ranking.method == "test_then_rank" or ranking.per_case == "median":
        return "Wilcoxon signed rank", signed_rank_test(table.cases[number])
    return "paired permutation", permutation_test(table.cases[number], digest=digest)


def _influence(table: Table, number: int, entrants: Sequence[Entrant]) -> Values | None:
    by_team = {entrant.team: entrant for entrant in entrants}
    column = table.columns[number]
    reports = [by_team[team].metric(*column.key) for team in table.teams]
    scored = [report is not None and report.value is not None for report in reports]
    vectors = [None if report is None or report.value is None else report.influence for report in reports]
    if any(has and not vector for has, vector in zip(scored, vectors, strict=True)) or not any(scored):
        return None
    lengths = {len(vector) for vector in vectors if vector is not None}
    if len(lengths) > 1:
        raise RankingError(f"{column.metric} of {column.board}: influence vectors of different lengths")
    rows = np.full((len(vectors), lengths.pop()), np.nan)
    for place, vector in enumerate(vectors):
        if vector is not None:
            rows[place] = vector
    return rows


def _of_means(cases: Values) -> Values:
    """Influence vectors of the means of cases; NaN for a team with fewer than two."""
    several = np.isfinite(cases).sum(axis=1) > 1
    return np.stack(
        [
            of_mean(row) if known else np.full(len(row), np.nan)
            for row, known in zip(cases, several, strict=True)
        ]
    )


def _within(metric: MetricPlugin, bounds: PairBounds) -> PairBounds:
    """The bounds without what no two values of the metric can differ by."""
    most = metric.maximum - metric.minimum
    return PairBounds(np.maximum(bounds.low, -most), np.minimum(bounds.high, most))
