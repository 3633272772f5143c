"""How much each seed of a probe moves a value, beside how much each subject does."""

import math
from collections.abc import Sequence

import numpy as np

from evaluator.comparison._entrants import Entrant
from evaluator.ranking import Column, RankingError, Values
from evaluator.scoring import ProbeReport


def probes_agree(entrants: Sequence[Entrant]) -> None:
    """Whether the values of each board come from probes of the same seeds.

    Raises:
        RankingError: a value of one seed and a mean over seeds, or means over others, are not comparable.
    """
    recipes: dict[str, tuple[object, ...]] = {}
    for entrant in entrants:
        for board, report in entrant.reports.items():
            if (probe := report.extras.probe) is None:
                continue
            recipe = (probe.seed, probe.score, probe.seeds)
            if recipes.setdefault(board, recipe) != recipe:
                raise RankingError(
                    f"{entrant.team}: the report of {board} was made with other seeds of the probe than the others; "
                    "score them with one challenge file"
                )


def seeds_influence(column: Column, teams: Sequence[str], entrants: Sequence[Entrant]) -> Values | None:
    """How much each seed moves the values of a column, (teams, seeds): none where replicates draw cases alone.

    Σψ² is the variance that seeds add: s² of the values with each seed, over their number where the value is a mean.
    So Σ(ψ_a − ψ_b)² is that of the difference of two submissions, which share the seeds. None where splits are drawn
    with the seeds, for a report does not hold how much each of them moves a value.
    """
    by_team = {entrant.team: entrant for entrant in entrants}
    rows: dict[int, Values] = {}
    for number, team in enumerate(teams):
        metric, report = by_team[team].metric(*column.key), by_team[team].reports.get(column.board)
        if metric is None or metric.value is None or report is None or report.extras.bootstrap is None:
            continue
        if report.extras.bootstrap.sources == "test_cases_seeds_and_split":
            return None
        if report.extras.bootstrap.sources == "test_cases_and_seeds" and report.extras.probe is not None:
            rows[number] = _row(report.extras.probe, column.metric)
    found = np.zeros((len(teams), max(map(len, rows.values()), default=0)))
    for number, row in rows.items():
        found[number] = row
    return found


def _row(probe: ProbeReport, metric: str) -> Values:
    values = np.array([math.nan if value is None else value for value in probe.by_seed[metric].values])
    known = np.isfinite(values)
    count = int(known.sum())
    if count < 2:
        return np.zeros(len(values))
    apart: Values = np.where(known, values - values[known].mean(), 0)
    return apart / math.sqrt((count - 1) * (count if probe.score == "mean" else 1))
