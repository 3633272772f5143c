"""What the report says about a track and a board, as plain numbers."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.comparison import (
    ahead,
    case_counts,
    holm,
    influence_test,
    permutation_test,
    probability_of_top,
    rank_intervals,
    rank_replicates,
    rank_resamples,
    tie_groups,
    told_apart,
)
from evaluator.metrics.registry import lookup
from evaluator.ranking import Row, Standing, Table, rank
from evaluator.report._read import Entry
from evaluator.scoring import MetricReport
from evaluator.spec import Challenge

Values = npt.NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Place:
    """How sure a team's place is, from paired replicates."""

    low: int
    high: int
    first: float
    top_three: float
    group: int


@dataclass(frozen=True)
class Pairs:
    """Two-sided p-values between teams on one metric, adjusted by Holm's method; `test` says which test."""

    teams: tuple[str, ...]
    adjusted: Values
    better: npt.NDArray[np.bool_]
    test: str


def standings(challenge: Challenge, entries: Sequence[Entry]) -> tuple[Standing, ...]:
    """The places of one track; teams that no board has scored are not among them."""
    found = rank(challenge.ranking, challenge.boards, _rows(entries))
    return next(iter(found.tracks.values()), ())


def _rows(entries: Sequence[Entry]) -> list[Row]:
    return [
        Row(
            one.team,
            one.track,
            one.board,
            key,
            metric.value,
            is_baseline=one.baseline,
            eligible=one.eligible,
            per_case=one.report.per_case.get(key, ()),
        )
        for one in entries
        for key, metric in one.report.metrics.items()
    ]


def places(challenge: Challenge, entries: Sequence[Entry]) -> dict[str, Place]:
    """How sure the place of each team of one track is; empty where the reports hold no replicates."""
    table = Table.of(challenge.boards, _rows(entries))
    resamples = min(
        (len(metric.replicates) for one in entries for metric in _scored(one) if metric.replicates), default=0
    )
    if not resamples or len(table.teams) < 1:
        return {}
    replicates = _replicates(table, entries, resamples)
    if challenge.ranking.needs_cases:
        datasets = {one.board: one.report.extras.dataset for one in entries}
        counts = case_counts(table, resamples, datasets)
        ranks = rank_resamples(challenge.ranking, table, replicates, counts)
    else:
        ranks = rank_replicates(challenge.ranking, table, replicates)
    low, high = rank_intervals(ranks.places, LEVEL)
    groups = tie_groups(table.ranks(challenge.ranking).overall, told_apart(ahead(ranks.overall), LEVEL))
    first, three = probability_of_top(ranks.places, 1), probability_of_top(ranks.places, 3)
    return {
        team: Place(int(low[n]), int(high[n]), float(first[n]), float(three[n]), int(groups[n]))
        for n, team in enumerate(table.teams)
    }


def _scored(entry: Entry) -> list[MetricReport]:
    return [metric for metric in entry.report.metrics.values() if metric.value is not None]


def _replicates(table: Table, entries: Sequence[Entry], resamples: int) -> Values:
    """Shape (resamples, columns, teams): replicate r is the same resample in every submission."""
    found = np.full((resamples, len(table.columns), len(table.teams)), np.nan)
    reports = {(one.board, one.team): one.report for one in entries}
    for (number, column), (team, name) in itertools.product(enumerate(table.columns), enumerate(table.teams)):
        report = reports.get((column.board, name))
        metric = report.metrics[column.metric] if report else None
        if metric is not None and metric.value is not None:
            drawn = metric.replicates[:resamples] or [metric.value] * resamples
            found[:, number, team] = [np.nan if one is None else one for one in drawn]
    return found


def pairs(challenge: Challenge, entries: Sequence[Entry], key: str) -> Pairs | None:
    """Tests between all teams of one board in one track on one metric; None where there is none to make."""
    scored = [one for one in entries if one.report.metrics[key].value is not None]
    if len(scored) < 2:
        return None
    plugin = lookup(challenge.boards[scored[0].board].metrics[key].metric)
    sign = 1 if plugin.direction == "higher" else -1
    scored.sort(key=lambda one: (-sign * (one.report.metrics[key].value or 0.0), one.team))
    metrics = [one.report.metrics[key] for one in scored]
    values = np.array([metric.value for metric in metrics], dtype=np.float64)
    tested = _tested(scored, key, metrics, values, per_case=plugin.scope == "per_case")
    if tested is None:
        return None
    p, test = tested
    better = sign * (values[:, None] - values[None, :]) > 0
    return Pairs(tuple(one.team for one in scored), holm(p), better, test)


def _tested(
    entries: Sequence[Entry], key: str, metrics: Sequence[MetricReport], values: Values, *, per_case: bool
) -> tuple[Values, str] | None:
    if all(metric.influence for metric in metrics):
        influence = np.array([metric.influence for metric in metrics])
        if per_case:
            return influence_test(values, influence, distribution="t"), "paired t test over subjects"
        return influence_test(values, influence, distribution="normal"), "paired z test (DeLong's for AUROC)"
    if not per_case:
        return None
    cases = np.array([[np.nan if v is None else v for v in one.report.per_case[key]] for one in entries])
    digest = entries[0].report.extras.dataset
    return permutation_test(cases, digest=digest, permutations=20_000), "paired permutation test over cases"


def by_board(entries: Sequence[Entry]) -> Mapping[str, list[Entry]]:
    """The entries of each board, in their order."""
    found: dict[str, list[Entry]] = {}
    for one in entries:
        found.setdefault(one.board, []).append(one)
    return found
