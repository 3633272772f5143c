"""Per-case values for challengeR, the R toolkit of Wiesenfarth et al. (Scientific Reports 2021)."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from evaluator.comparison._entrants import Entrant, rows_of
from evaluator.ranking import Table, columns_of
from evaluator.spec import Board, Challenge

COLUMNS = ("task", "algorithm", "case", "value", "board", "metric")
"""`task` is unique per board and metric, as `as.challenge(by = "task")` wants one value per algorithm and case."""


def challenger_csv(challenge: Challenge, entrants: Sequence[Entrant], *, small_better: bool) -> str | None:
    """The values of single cases of one track as CSV, None where no metric of that direction has any.

    Read it with `as.challenge(read.csv(FILE), by = "task", algorithm = "algorithm", case = "case",
    value = "value", smallBetter = …)`. challengeR takes one direction for all tasks, so there is a file for
    each. Cases go by their number in the dataset's order. A case that a metric leaves undefined is NA, and so
    are all cases of a team without the board, so that every team has every case; baselines take part.
    """
    boards: dict[str, Board] = dict(challenge.boards)
    competing = [Entrant(entrant.team, entrant.reports) for entrant in entrants]
    table = Table.of(boards, rows_of("", competing))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    wanted = [
        number
        for number, column in enumerate(columns_of(boards))
        if number in table.cases and column.higher_is_better != small_better
    ]
    for number in wanted:
        column = table.columns[number]
        for team, values in zip(table.teams, table.cases[number], strict=True):
            for case, value in enumerate(values, 1):
                shown = repr(float(value)) if np.isfinite(value) else "NA"
                name = f"{column.board}_{column.metric}"
                writer.writerow((name, team, f"case{case}", shown, *column.key))
    return text.getvalue() if wanted else None
