"""The scores of one track as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from evaluator.ranking._cases import aggregate, case_terms
from evaluator.ranking._rows import RankingError, Row, TeamValues, by_team
from evaluator.ranking._rule import Column, Ranks, columns_of, rank_values, ranked_columns, rounded
from evaluator.ranking._ties import Values
from evaluator.spec import Board, Ranking


@dataclass(frozen=True)
class Table:
    """The ranked teams of one track, by name; baselines are not among them.

    values: (columns, teams) as scored, NaN where there is none. cases: per column that has them, the values
    of single cases, (teams, cases), NaN where undefined and for teams without the metric.
    """

    teams: tuple[str, ...]
    columns: tuple[Column, ...]
    values: Values
    cases: Mapping[int, Values] = field(default_factory=dict)

    @classmethod
    def of(cls, boards: Mapping[str, Board], rows: Sequence[Row]) -> Self:
        """The table of one track's rows. A team appears if at least one of its values is a number.

        Raises:
            RankingError: two teams have different numbers of cases in one metric.
        """
        table = cls.of_values(boards, by_team(row for row in rows if not row.is_baseline))
        return replace(table, cases=_all_cases(table.columns, table.teams, rows))

    @classmethod
    def of_values(cls, boards: Mapping[str, Board], entries: TeamValues) -> Self:
        """The table of one track's values, without those of single cases. A team appears if one of them is a number."""
        columns = columns_of(boards)
        values = np.full((len(entries), len(columns)), np.nan)
        line = {column.key: number for number, column in enumerate(columns)}
        order = sorted(entries)
        for number, team in enumerate(order):
            for board, found in entries[team].items():
                for metric, value in found.items():
                    if value is not None:
                        values[number, line[board, metric]] = value
        known = ~np.isnan(values).all(axis=1)
        teams = tuple(team for team, has_any in zip(order, known, strict=True) if has_any)
        return cls(teams, columns, np.ascontiguousarray(values[known].T))

    def ranked_values(self, ranking: Ranking) -> Values:
        """What the rule ranks, (columns, teams): values, medians, mean ranks or wins, rounded as it says.

        Raises:
            RankingError: the rule needs the values of single cases and a metric that has some lacks them.
        """
        values = rounded(ranking, self.values)
        if not ranking.needs_cases:
            return values
        for number, column in enumerate(self.columns):
            if column.per_case and np.isfinite(values[number]).any():
                values = values.copy()
                values[number] = aggregate(ranking, self.case_terms(ranking, number))
        return values

    def case_terms(self, ranking: Ranking, number: int) -> Values:
        """What column `number` averages over cases under the rule, (teams, cases).

        Raises:
            RankingError: the scores hold no values of single cases, or not of every team.
        """
        column, cases = self.columns[number], self.cases.get(number)
        scored = np.isfinite(self.values[number])
        if cases is None or not np.isfinite(cases[scored]).any(axis=1).all():
            raise RankingError(
                f"{column.metric} of {column.board}: the rule needs the values of single cases, and these "
                "scores have none; rank from reports instead"
            )
        return case_terms(ranking, column, cases)

    def ranks(self, ranking: Ranking) -> Ranks:
        """Places under `ranking`, which need not be the challenge's own."""
        return rank_values(ranking, ranked_columns(ranking, self.columns), self.ranked_values(ranking))

    def subset(self, chosen: Sequence[int]) -> "Table":
        """The table of some of its teams, as if the others had never taken part."""
        picked = list(chosen)
        return Table(
            tuple(self.teams[number] for number in picked),
            self.columns,
            self.values[:, picked],
            {number: cases[picked] for number, cases in self.cases.items()},
        )


def _all_cases(columns: Sequence[Column], teams: Sequence[str], rows: Sequence[Row]) -> dict[int, Values]:
    """The values of single cases of each column that has them."""
    entries = {(row.board, row.metric, row.team): row for row in rows if row.per_case and not row.is_baseline}
    if not entries:
        return {}
    return {
        number: scores
        for number, column in enumerate(columns)
        if (scores := _cases(column, [entries.get((*column.key, team)) for team in teams])) is not None
    }


def _cases(column: Column, rows: Sequence[Row | None]) -> Values | None:
    lengths = {len(row.per_case) for row in rows if row is not None and row.per_case}
    if not lengths:
        return None
    if len(lengths) > 1:
        raise RankingError(f"{column.metric} of {column.board}: teams have different numbers of cases")
    cases = np.full((len(rows), lengths.pop()), np.nan)
    for number, row in enumerate(rows):
        if row is not None and row.per_case and row.scored is not None:
            cases[number] = [np.nan if value is None else value for value in row.per_case]
    return cases
