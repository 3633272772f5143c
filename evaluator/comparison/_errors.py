"""Draws of how far the values of a track may lie from what other test cases of the same kind would give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.comparison._entrants import Entrant
from evaluator.comparison._seeds import seeds_influence
from evaluator.metrics.intervals import freedom
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
    are stretched to the tails of Student's t, as a standard error is itself estimated: from the subjects, of whom few
    may make most of it, and from the seeds of a probe. Where resamples vary more than influence values say, as with
    subjects of very different numbers of sessions, the errors are as large as theirs.

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
                wider = 1.0 if replicates is None else _spread(rows, replicates[:, column])
                errors[:, column] = _moved(digest, wider * rows, multipliers[rows.shape[1]])
            continue
        columns = _of_dataset(table, digests, digest)
        units = _units(table, columns, entrants)
        for column in columns:
            own = None if replicates is None else _deviations(table, column, entrants, replicates)
            if own is None:
                unknown.append(table.columns[column])
                continue
            resampled.append(table.columns[column])
            errors[:, column] = own * _stretch(digest, _freedom(table, column, entrants, own, units), draws)
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


def _freedom(table: Table, number: int, entrants: Sequence[Entrant], drawn: Values, units: int) -> float:
    """Degrees of freedom of the spread of replicates, of cases and of a probe's seeds (Satterthwaite's)."""
    scored = _scored(table, number, entrants)
    vectors = [np.array(metric.influence) for metric in scored.values() if metric.influence]
    known = len(vectors) == len(scored) and len({len(vector) for vector in vectors}) == 1
    of_cases = pair_freedom(np.array(vectors)) if known else max(units - 1.0, 1.0)
    seeds = seeds_influence(table.columns[number], table.teams, entrants)
    whole = float(np.median(drawn.var(axis=0)[list(scored)]))
    if seeds is None or seeds.shape[1] < 2 or whole <= 0:
        return of_cases
    added = min(float(np.median((seeds**2).sum(axis=1)[list(scored)])), whole)
    found: float = whole**2 / ((whole - added) ** 2 / of_cases + added**2 / (seeds.shape[1] - 1))
    return found


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


def influence_errors(digest: str, rows: Values, draws: int) -> Values:
    """Errors (draws, teams) from influence values (teams, units): paired, with the tails of what few units tell."""
    return _moved(digest, rows, _multipliers(digest, rows.shape[1], draws))


def _moved(digest: str, rows: Values, multipliers: Values) -> Values:
    moved: Values = multipliers @ rows.T
    return moved * _stretch(digest, pair_freedom(rows), len(multipliers))


def _multipliers(digest: str, units: int, draws: int) -> Values:
    stream = np.random.Generator(np.random.PCG64(seed_of(f"{digest} multipliers of {units}")))
    return stream.standard_normal((draws, units))


def pair_freedom(rows: Values) -> float:
    """The degrees of freedom of differences between teams by their influence values, (teams, units): the median one.

    Of fewer than two teams that differ, units − 1.
    """
    found = []
    for number, row in enumerate(rows):  # all pairs at once would be gigabytes for 200 teams of 5,000 units
        apart = rows[number + 1 :] - row
        found.append(freedom(apart[np.abs(apart).max(axis=1, initial=0) > 0]))
    degrees = np.concatenate(found)
    return float(np.median(degrees)) if len(degrees) else float(max(rows.shape[1] - 1, 1))


def _spread(rows: Values, replicates: Values) -> float:
    """By how much replicates (draws, teams) vary more than influence values say, in the median team; at least 1."""
    said, drawn = np.sqrt((rows**2).sum(axis=1)), np.full(len(rows), np.nan)
    known = (np.isfinite(replicates).sum(axis=0) > 1) & (said > 0)
    drawn[known] = np.nanstd(replicates[:, known], axis=0) / said[known]
    return max(float(np.median(drawn[known])), 1.0) if known.any() else 1.0


def _stretch(digest: str, degrees: float, draws: int) -> Values:
    """What makes normal draws those of Student's t, (draws, 1); draws of one dataset are stretched alike."""
    from scipy.special import gammaincinv  # scipy takes as long to import as a case takes to score

    stream = np.random.Generator(np.random.PCG64(seed_of(f"{digest} degrees of freedom")))
    chance = stream.random((draws, 1))
    return np.asarray(np.sqrt(degrees / (2 * gammaincinv(degrees / 2, chance))))
