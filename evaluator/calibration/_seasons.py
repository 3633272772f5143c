"""How often sets of places hold the true ones, over challenges whose teams are as far apart as the observed ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from evaluator.comparison import (
    Entrant,
    RankSets,
    Track,
    centres,
    errors_of,
    influence_of,
    rank_intervals,
    sure_places,
)
from evaluator.ranking import Table, Values, rank_values, ranked_columns, rounded, whole_places
from evaluator.resampling import draw_counts

_EXPECTED = 10_000
"""Test sets over which ranks are averaged to find the true places."""

Order = npt.NDArray[np.intp]


@dataclass
class Held:
    """Counts of one board, or of all: how often sets held the true places.

    joint: those of all teams at once. alone: (teams,) each team's own. winner: the truly first team among those that
    cannot be excluded. ranges: the places in the resamples, of all teams at once, None where there are none.
    """

    teams: tuple[str, ...]
    level: float
    seasons: int = 0
    joint: int = 0
    alone: npt.NDArray[np.intp] | None = None
    winner: int = 0
    ranges: int | None = None

    def count(self, sets: RankSets, shown: Order, places: Order, drawn: Order | None) -> None:
        """Adds one season; places: the true ones of the teams `shown`; drawn: all teams' in each resample."""
        self.seasons += 1
        self.joint += bool(((sets.low[shown] <= places) & (places <= sets.high[shown])).all())
        own = (sets.alone_low[shown] <= places) & (places <= sets.alone_high[shown])
        self.alone = own.astype(np.intp) if self.alone is None else self.alone + own
        self.winner += bool(sets.low[shown][places == 1].max() == 1)
        if drawn is not None:
            low, high = rank_intervals(drawn[:, shown], self.level)
            self.ranges = (self.ranges or 0) + bool(((low <= places) & (places <= high)).all())


def unsimulated(track: Track) -> str | None:
    """Why the places of a track cannot be simulated."""
    if len(track.table.teams) < 2:
        return "there is one team only"
    if track.ranking.needs_cases:
        return "the rule ranks single cases, whose truth is that of no distribution"
    return None


@dataclass(frozen=True)
class Seasons:
    """Challenges like a track: teams of true values `truth`, (columns, teams), see other test cases of the same kind.

    Where influence values are known, subjects are drawn from the observed ones with replacement, so that errors are
    correlated between teams and boards as observed, and are estimated anew from those drawn. Elsewhere the error is a
    resample's, and its spread is taken as known.
    """

    track: Track
    truth: Values
    seed: Sequence[int]

    @classmethod
    def observed(cls, track: Track, seed: Sequence[int]) -> "Seasons":
        """Teams as far apart as they are."""
        return cls(track, track.table.values, seed)

    @classmethod
    def nearly_tied(cls, track: Track, seed: Sequence[int]) -> "Seasons":
        """Teams as far apart as they are without what chance explains of it."""
        return cls(track, centres(track.table.values, track.errors.draws), seed)

    @cached_property
    def _moved(self) -> dict[str, dict[int, Values]]:
        track = self.track
        return influence_of(track.ranking, track.table, track.entrants, track.digests)

    @cached_property
    def _others(self) -> dict[str, list[int]]:
        """By dataset, the columns whose errors are those of resamples."""
        return {
            digest: [
                number
                for number, column in enumerate(self.track.table.columns)
                if self.track.digests.get(column.board) == digest
            ]
            for digest in dict.fromkeys(self.track.digests.values())
            if digest not in self._moved
        }

    @cached_property
    def _deviations(self) -> Values | None:
        """The resamples less their mean, (draws, columns, teams), 0 where there is no value."""
        if self.track.resampled is None:
            return None
        known = np.isfinite(self.track.resampled)
        rows = np.where(known, self.track.resampled, 0)
        means = rows.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.where(known, rows - means, 0)

    def _errors(self, stream: np.random.Generator) -> tuple[Values, dict[int, Values]]:
        """The errors of a season, (columns, teams), and by column the influence values of its subjects."""
        errors, moved = np.zeros(self.truth.shape), {}
        for columns in self._moved.values():
            drawn = {units: stream.integers(units, size=units) for units in sorted(_lengths(columns))}
            for column, rows in columns.items():
                units = rows.shape[1]
                own = rows[:, drawn[units]]
                errors[column] = own.sum(axis=1)
                centred = own - own.mean(axis=1, keepdims=True)
                moved[column] = centred * np.sqrt(units / (units - 1))
        if self._deviations is not None:
            for columns_of in self._others.values():
                one = int(stream.integers(len(self._deviations)))
                errors[columns_of] = self._deviations[one][columns_of]
        return errors, moved

    def _many_errors(self, stream: np.random.Generator, seasons: int) -> Values:
        """The errors of as many seasons, (seasons, columns, teams)."""
        errors = np.zeros((seasons, *self.truth.shape))
        for columns in self._moved.values():
            for units in sorted(_lengths(columns)):
                times = stream.multinomial(units, np.full(units, 1 / units), size=seasons)
                for column, rows in columns.items():
                    if rows.shape[1] == units:
                        errors[:, column] = times @ rows.T
        if self._deviations is not None:
            for columns_of in self._others.values():
                chosen = stream.permutation(np.arange(seasons) % len(self._deviations))
                errors[:, columns_of] = self._deviations[chosen][:, columns_of]
        return errors

    def places(self) -> tuple[Order, dict[str, Order]]:
        """The true places, over all boards and by board, of the teams that have something there (else 0).

        By the mean rank over many test sets, on a board of one metric by the value. Equal teams count as a hair apart.
        """
        track, stream = self.track, np.random.default_rng([*self.seed, 1])
        columns = ranked_columns(track.ranking, track.table.columns)
        drawn = self.truth + self._many_errors(stream, _EXPECTED)
        ranks = rank_values(track.ranking, columns, rounded(track.ranking, drawn))
        boards = {}
        for number, name in enumerate(dict.fromkeys(column.board for column in columns)):
            rows = [row for row, column in enumerate(columns) if column.board == name]
            scored = [row for row in rows if np.isfinite(self.truth[row]).any()]
            expected = ranks.boards[:, number].mean(axis=0)
            if len(scored) == 1:
                expected = (-1.0 if columns[scored[0]].higher_is_better else 1.0) * self.truth[scored[0]]
            there = np.isfinite(self.truth[rows]).any(axis=0)
            boards[name] = _order(np.where(there, expected, np.nan))
        return _order(ranks.overall.mean(axis=0)), boards

    def _season(self, stream: np.random.Generator) -> tuple[Table, Sequence[Entrant], Values | None]:
        """The table of a season, its reports, and what the rule ranks in each of its resamples."""
        errors, moved = self._errors(stream)
        table = replace(self.track.table, values=self.truth + errors)
        drawn = None
        if self._deviations is not None:
            drawn = table.values + self._deviations
            for column, rows in moved.items():
                counts = self._counts(rows.shape[1], len(drawn))
                drawn[:, column] = table.values[column] + (counts - 1) @ rows.T
        return table, _reported(self.track.entrants, table, moved), drawn

    def _counts(self, units: int, draws: int) -> Values:
        if units not in self._drawn:
            self._drawn[units] = draw_counts(
                range(units), [0] * units, resamples=draws, digest=f"{self.seed} {units}"
            )
        return self._drawn[units]

    @cached_property
    def _drawn(self) -> dict[int, Values]:
        return {}

    def held(self, seasons: int, advance: Callable[[], None]) -> Mapping[str | None, Held]:
        """Over all boards (None) and by board, how often the sets of so many seasons held the true places."""
        overall, boards = self.places()
        truths: dict[str | None, Order] = {None: overall}
        truths.update(boards)
        found: dict[str | None, Held] = {}
        stream = np.random.default_rng([*self.seed, 2])
        for _ in range(seasons):
            for name, sets, drawn in self._sets(stream):
                shown = np.flatnonzero(truths[name])
                teams = tuple(self.track.table.teams[team] for team in shown)
                if len(shown) > 1:
                    one = found.setdefault(name, Held(teams, self.track.level))
                    one.count(sets, shown, truths[name][shown], drawn)
            advance()
        return found

    def _sets(self, stream: np.random.Generator) -> Iterator[tuple[str | None, RankSets, Order | None]]:
        """The sets of one season over all boards and by board, and the places in its resamples."""
        track = self.track
        table, entrants, drawn = self._season(stream)
        errors = errors_of(track.ranking, table, entrants, track.digests, drawn)
        sure = sure_places(track.ranking, table, table.ranks(track.ranking), errors, track.level)
        ranks = None
        if drawn is not None:
            values = rounded(track.ranking, drawn)
            ranks = rank_values(track.ranking, ranked_columns(track.ranking, table.columns), values)
        if sure.overall is not None:
            yield None, sure.overall, None if ranks is None else ranks.places
        for number, (name, sets) in enumerate(sure.boards.items()):
            if sets is not None:
                places = None if ranks is None else whole_places(ranks.boards[:, number], track.ranking)
                yield name, sets, places


def _lengths(columns: Mapping[int, Values]) -> set[int]:
    return {rows.shape[1] for rows in columns.values()}


def _order(expected: Values) -> Order:
    """Places from 1 by what is expected, lower is better, no two alike; 0 without a number."""
    places = np.zeros(len(expected), dtype=np.intp)
    known = np.flatnonzero(np.isfinite(expected))
    places[known[np.argsort(expected[known], kind="stable")]] = np.arange(1, len(known) + 1)
    return places


def _reported(entrants: Sequence[Entrant], table: Table, moved: Mapping[int, Values]) -> list[Entrant]:
    """The entrants with the values and influence values of another season."""
    teams = {team: number for number, team in enumerate(table.teams)}
    found = []
    for entrant in entrants:
        if entrant.team not in teams or entrant.baseline:
            continue
        place, reports = teams[entrant.team], dict(entrant.reports)
        for number, column in enumerate(table.columns):
            if number not in moved or entrant.metric(*column.key) is None:
                continue
            report = reports[column.board]
            metric = report.metrics[column.metric]
            if metric.value is not None:
                update = {"influence": tuple(moved[number][place].tolist())}
                metrics = {**report.metrics, column.metric: metric.model_copy(update=update)}
                reports[column.board] = report.model_copy(update={"metrics": metrics})
        found.append(replace(entrant, reports=reports))
    return found
