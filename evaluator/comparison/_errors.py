"""Draws of how far the values of a track may lie from what other test cases of the same kind would give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.comparison._entrants import Entrant
from evaluator.ranking import Column, Table, Values
from evaluator.resampling import seed_of
from evaluator.scoring import MetricReport
from evaluator.spec import Ranking

DRAWS = 1000


@dataclass(frozen=True)
class Errors:
    """Errors of the ranked values, (draws, columns, teams), 0 where nothing says how far a value moves.

    unknown: the columns of which that holds for a team with a value. resampled: those whose errors are the
    replicates', for the reports hold no influence values of all of their dataset's metrics.
    """

    draws: Values
    unknown: tuple[Column, ...]
    resampled: tuple[Column, ...]

    def known_of(self, columns: Sequence[Column]) -> bool:
        """Whether all of the columns say how far their values move."""
        return not set(columns) & set(self.unknown)


def errors_of(
    ranking: Ranking,
    table: Table,
    entrants: Sequence[Entrant],
    digests: Mapping[str, str],
    replicates: Values | None,
) -> Errors:
    """The errors of all columns: paired between teams, and between boards of one dataset; others are independent.

    A dataset's columns have theirs from influence values, where all have some that speak of what is ranked: sums of
    them with normal multipliers, the same for every team and board. Else they are the replicates less their mean. Both
    are stretched to the tails of Student's t, as a standard error is itself estimated from the subjects.

    Args:
        ranking: the rule.
        table: the teams and columns.
        entrants: whose reports hold influence values.
        digests: by board, the digest of its dataset, on which alone its draws depend.
        replicates: (draws, columns, teams) what the rule ranks in each resample, None if there is none.
    """
    draws = DRAWS if replicates is None else len(replicates)
    errors = np.zeros((draws, *table.values.shape))
    unknown, resampled = [], []
    by_influence = influence_of(ranking, table, entrants, digests)
    for digest in dict.fromkeys(digests.values()):
        if digest in by_influence:
            lengths = {rows.shape[1] for rows in by_influence[digest].values()}
            multipliers = {units: _multipliers(digest, units, draws) for units in lengths}
            for column, rows in by_influence[digest].items():
                errors[:, column] = multipliers[rows.shape[1]] @ rows.T
            continue
        columns = _of_dataset(table, digests, digest)
        units = _units(table, columns, entrants)
        for column in columns:
            own = None if replicates is None else _deviations(table, column, entrants, replicates)
            if own is None:
                unknown.append(table.columns[column])
                continue
            resampled.append(table.columns[column])
            errors[:, column] = own * _stretch(digest, units, draws)
    return Errors(errors, tuple(unknown), tuple(resampled))


def influence_of(
    ranking: Ranking, table: Table, entrants: Sequence[Entrant], digests: Mapping[str, str]
) -> dict[str, dict[int, Values]]:
    """Influence values by dataset and column, (teams, units), 0 for teams without a value.

    Only of datasets all of whose columns have some that say all there is to say of what is ranked.
    """
    found: dict[str, dict[int, Values]] = {}
    for digest in dict.fromkeys(digests.values()):
        columns = _of_dataset(table, digests, digest)
        moved = {column: _influence(ranking, table, column, entrants) for column in columns}
        known = {column: rows for column, rows in moved.items() if rows is not None}
        if columns and len(known) == len(moved):
            found[digest] = known
    return found


def _of_dataset(table: Table, digests: Mapping[str, str], digest: str) -> list[int]:
    """The columns of a dataset on which some team has a value."""
    return [
        number
        for number, column in enumerate(table.columns)
        if digests.get(column.board) == digest and np.isfinite(table.values[number]).any()
    ]


def _scored(table: Table, number: int, entrants: Sequence[Entrant]) -> dict[int, MetricReport]:
    """What was scored in a column, by the number of the team."""
    by_team = {entrant.team: entrant for entrant in entrants}
    found = (
        (place, by_team[team].metric(*table.columns[number].key)) for place, team in enumerate(table.teams)
    )
    return {place: metric for place, metric in found if metric is not None and metric.value is not None}


def _influence(ranking: Ranking, table: Table, number: int, entrants: Sequence[Entrant]) -> Values | None:
    """Influence values of a column, (teams, units), 0 for teams without a value; None where they do not say it all.

    So it is where a team has none, and where more than test cases was drawn, or single cases are ranked.
    """
    column = table.columns[number]
    if ranking.needs_cases and column.per_case:
        return None
    drawn = (
        entrant.reports[column.board].extras.bootstrap
        for entrant in entrants
        if column.board in entrant.reports
    )
    if any(bootstrap is not None and bootstrap.sources != "test_cases" for bootstrap in drawn):
        return None
    scored = _scored(table, number, entrants)
    vectors = {place: metric.influence for place, metric in scored.items() if metric.influence}
    lengths = {len(vector) for vector in vectors.values()}
    if len(vectors) < len(scored) or len(lengths) != 1 or max(lengths) < 2:
        return None
    rows = np.zeros((len(table.teams), lengths.pop()))
    for place, vector in vectors.items():
        rows[place] = vector
    return rows


def _deviations(table: Table, number: int, entrants: Sequence[Entrant], replicates: Values) -> Values | None:
    """A column's replicates less their mean, (draws, teams); None where a team with a value has none."""
    scored = _scored(table, number, entrants)
    if any(not metric.replicates for metric in scored.values()):
        return None
    known = np.isfinite(replicates[:, number])
    counts = known.sum(axis=0)
    rows = np.where(known, replicates[:, number], 0)
    means = np.divide(rows.sum(axis=0), counts, out=np.zeros(len(counts)), where=counts > 0)
    return np.where(known, rows - means, 0)


def _units(table: Table, columns: Sequence[int], entrants: Sequence[Entrant]) -> int:
    """How many subjects or sites are drawn of a dataset: as many as have influence values, else its cases."""
    scored = [metric for number in columns for metric in _scored(table, number, entrants).values()]
    boards = {table.columns[number].board for number in columns}
    known = max((len(metric.influence) for metric in scored if metric.influence), default=0)
    return known or max(
        (
            len(report.cases)
            for entrant in entrants
            for board, report in entrant.reports.items()
            if board in boards
        ),
        default=0,
    )


def _multipliers(digest: str, units: int, draws: int) -> Values:
    stream = np.random.Generator(np.random.PCG64(seed_of(f"{digest} multipliers of {units}")))
    return stream.standard_normal((draws, units)) * _stretch(digest, units, draws)


def _stretch(digest: str, units: int, draws: int) -> Values:
    """What makes normal draws those of Student's t with units − 1 degrees of freedom, (draws, 1)."""
    if units < 2:
        return np.ones((draws, 1))
    stream = np.random.Generator(np.random.PCG64(seed_of(f"{digest} degrees of freedom of {units}")))
    return np.sqrt(units / stream.chisquare(units - 1, size=(draws, 1)))
