"""Teams with their reports, and the rows and arrays that are made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.ranking import Column, RankingError, Row, Table, Values
from evaluator.scoring import MetricReport, Report, changed_settings
from evaluator.spec import Bootstrap


@dataclass(frozen=True)
class Entrant:
    """A team in one track with the report of each board it is scored on."""

    team: str
    reports: Mapping[str, Report]
    baseline: bool = False
    eligible: bool = True

    def metric(self, board: str, metric: str) -> MetricReport | None:
        """What was scored, None where the board or the metric is missing."""
        report = self.reports.get(board)
        return None if report is None or report.rejected is not None else report.metrics.get(metric)


def rows_of(track: str, entrants: Sequence[Entrant]) -> list[Row]:
    """The scores as `evaluator.ranking.rank` takes them; a rejected report has none."""
    return [
        Row(
            team=entrant.team,
            track=track,
            board=board,
            metric=metric,
            value=score.value,
            is_baseline=entrant.baseline,
            eligible=entrant.eligible,
            per_case=report.per_case.get(metric),
        )
        for entrant in entrants
        for board, report in entrant.reports.items()
        if report.rejected is None
        for metric, score in report.metrics.items()
    ]


def datasets_of(entrants: Sequence[Entrant]) -> dict[str, str]:
    """The dataset digest of each board.

    Raises:
        RankingError: two reports of one board come from different datasets, or from other numbers of subjects; nothing
            of them is paired.
    """
    digests: dict[str, str] = {}
    subjects: dict[str, int] = {}
    for entrant in entrants:
        for board, report in entrant.reports.items():
            if digests.setdefault(board, report.extras.dataset) != report.extras.dataset:
                raise RankingError(
                    f"{entrant.team}: the report of {board} is from another dataset than the others; score all teams "
                    "with one manifest, and give the reports of each dataset a directory of their own"
                )
            for key, metric in report.metrics.items():
                units = len(metric.influence or ())
                if units and subjects.setdefault(board, units) != units:
                    raise RankingError(
                        f"{entrant.team}: the report of {board} has influence values of {units} subjects in {key}, and "
                        f"others have them of {subjects[board]}; score them on one dataset"
                    )
    return digests


def bootstraps_of(entrants: Sequence[Entrant]) -> dict[str, Bootstrap]:
    """How the cases of each board were drawn, and the level of its intervals; without boards that do not say it.

    Raises:
        RankingError: two reports of one board were made with other draws, so nothing of them is paired, or with
            intervals of other levels, which look comparable and are not.
    """
    bootstraps: dict[str, Bootstrap] = {}
    versions: dict[str, int] = {}
    for entrant in entrants:
        for board, report in entrant.reports.items():
            if versions.setdefault(board, report.extras.draws) != report.extras.draws:
                raise RankingError(
                    f"{entrant.team}: the cases of the report of {board} were drawn by another version of Proctor than "
                    "those of the others; score them with one version"
                )
            drawn = report.extras.bootstrap
            if drawn is not None and (known := bootstraps.setdefault(board, drawn)) != drawn:
                both = changed_settings(drawn.model_dump(mode="json"), known.model_dump(mode="json"))
                told = ", ".join(f"{field} {its} instead of {theirs}" for field, its, theirs in both)
                raise RankingError(
                    f"{entrant.team}: the report of {board} was made with another bootstrap than the others ({told}); "
                    "score them with one challenge file"
                )
    return bootstraps


@dataclass(frozen=True)
class Paired:
    """Replicates of a whole table, (replicates, columns, teams), and what had none and stays fixed."""

    values: Values
    fixed: tuple[Column, ...]


def paired_replicates(table: Table, entrants: Sequence[Entrant]) -> Paired | None:
    """The replicates of every column and team, None if no report has any.

    A value without replicates stays what it is in all of them; no value is NaN in all of them. Boards may differ
    in their number of resamples; the fewest are compared.

    Raises:
        RankingError: the reports of one board differ in it.
    """
    by_team = {entrant.team: entrant for entrant in entrants}
    metrics = {
        (number, place): score
        for number, column in enumerate(table.columns)
        for place, team in enumerate(table.teams)
        if (score := by_team[team].metric(*column.key)) is not None and score.value is not None
    }
    by_board: dict[str, int] = {}
    for (number, place), score in metrics.items():
        board, drawn = table.columns[number].board, len(score.replicates)
        if drawn and by_board.setdefault(board, drawn) != drawn:
            raise RankingError(
                f"{table.teams[place]}: the report of {board} has another number of resamples than the others"
            )
    lengths = set(by_board.values())
    if not lengths:
        return None
    values = np.full((min(lengths), *table.values.shape), np.nan)
    fixed: dict[Column, None] = {}
    for (number, place), score in metrics.items():
        if score.replicates:
            values[:, number, place] = np.array(score.replicates[: min(lengths)], dtype=np.float64)
        else:
            values[:, number, place] = table.values[number, place]
            fixed[table.columns[number]] = None
    return Paired(values, tuple(fixed))
