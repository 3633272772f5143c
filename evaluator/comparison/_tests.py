"""Which test a metric gets, and its result for people and machines."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from evaluator.comparison._entrants import Entrant
from evaluator.comparison._pairwise import holm, influence_test, permutation_test, signed_rank_test
from evaluator.comparison._places import tie_groups
from evaluator.comparison._published import MetricTests, PairTest
from evaluator.comparison._seeds import seeds_influence
from evaluator.metrics import MetricPlugin, Test
from evaluator.metrics.registry import lookup
from evaluator.ranking import RankingError, Table, Values, ranked_columns
from evaluator.spec import Board, Ranking

_MOST_TEAMS = 50  # of the permutation test: beyond that its smallest p is too large for Holm
_CALLED = {"t": "paired t", "delong": "DeLong", "influence": "influence, t"}
_DISTRIBUTIONS: dict[Test, Literal["normal", "t", "estimated"]] = {
    "t": "t",
    "delong": "normal",
    "influence": "estimated",
}
_UNTOLD = "The reports do not say how much each subject moves it, which a test needs."
_SPLITS = (
    "Splits are drawn with the cases, and the reports do not say how much each moves it, which a test needs."
)


def metric_tests(
    ranking: Ranking,
    board: Board,
    table: Table,
    number: int,
    entrants: Sequence[Entrant],
    *,
    digest: str,
    level: float,
) -> MetricTests:
    """Tests between all teams in column `number`: the most exact one that the reports allow.

    Values per case, each case its own subject: sign-flip permutation of what the rule averages, for up to 50
    teams, or signed ranks where the rule takes medians. Everything else: from influence vectors, which are per
    subject, and per seed of a probe where seeds are drawn; the t distribution but for DeLong's test, and on the scale
    of the metric's intervals but for means.

    Raises:
        RankingError: influence vectors or per-case values of different lengths.
    """
    column, cases = table.columns[number], table.cases.get(number)
    influence = _influence(table, number, entrants)
    scored = int(np.isfinite(table.values[number]).sum())
    if scored < 2:
        return MetricTests(test=None, reason="Fewer than two teams have a value.")
    single = cases is not None and (influence is None or influence.shape[1] == cases.shape[1])
    if column.per_case and single and scored <= _MOST_TEAMS:
        label, p = _of_cases(ranking, table, number, digest)
        return _result(ranking, table, number, label, table.cases[number].shape[1], p, level)
    if influence is None:
        return MetricTests(test=None, reason=_lacking(table, number, entrants) or _UNTOLD)
    seeds = seeds_influence(column, table.teams, entrants)
    if seeds is None:
        return MetricTests(test=None, reason=_SPLITS)
    metric = lookup(board.metrics[column.metric].metric)
    p = metric_test(metric, table.values[number], np.hstack([influence, seeds]))
    return _result(ranking, table, number, _CALLED[metric.test], influence.shape[1], p, level)


def metric_test(metric: MetricPlugin, values: Values, influence: Values) -> Values:
    """p-values of all pairs as the metric's row says; values: (teams,), influence: (teams, units)."""
    scale = metric.interval.scale if metric.test == "influence" else None
    return influence_test(values, influence, distribution=_DISTRIBUTIONS[metric.test], scale=scale)


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


def _result(
    ranking: Ranking, table: Table, number: int, test: str, units: int, p: Values, level: float
) -> MetricTests:
    adjusted, values = holm(p), table.values[number]
    ranked = table.ranked_values(ranking)[number]
    higher = ranked_columns(ranking, table.columns)[number].higher_is_better
    groups = tie_groups(-ranked if higher else ranked, adjusted <= 1 - level)
    rows, columns = np.triu_indices(len(p), 1)
    return MetricTests(
        test=test,
        units=units,
        groups={
            team: int(group)
            for team, group, value in zip(table.teams, groups, values, strict=True)
            if np.isfinite(value)
        },
        pairs=tuple(
            PairTest(
                teams=(table.teams[first], table.teams[second]),
                difference=float(values[first] - values[second]),
                p=float(p[first, second]),
                adjusted=float(adjusted[first, second]),
            )
            for first, second in zip(rows, columns, strict=True)
            if np.isfinite(p[first, second])
        ),
    )
