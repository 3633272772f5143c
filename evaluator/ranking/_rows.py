"""The scores that enter a ranking, and the CSV file they may come from."""

import math
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.metrics.registry import lookup
from evaluator.spec import Board
from evaluator.tables import TableError, TextTable, decimal, text_of, text_table

COLUMNS = ("team", "track", "task", "metric", "value")
"""The columns every scores file has; `task` names the board. `is_baseline`, `eligible` and `unranked` are optional."""

_TRUE = {"1", "true", "yes"}
_FALSE = {"", "0", "false", "no"}
_MARKS = ("is_baseline", "eligible")
_UNRANKED = "unranked"
_INFINITE = {sign + word for sign in ("", "+", "-") for word in ("inf", "infinity")}  # refused as what it is
_ROUNDING = 1e-9  # a mean of ones may be 1 + 2e-16
_NO_VALUE = {"", "nan", "na", "n/a", "none", "null"}


class RankingError(ValueError):
    """Scores that cannot be ranked; the message names the line where they come from a file."""


class ScorerFailed(RankingError):
    """A metric failed when the scores were made: a fault of its makers, which must not cost a participant a place."""


@dataclass(frozen=True)
class Row:
    """One score. `value` None or NaN means: not scored. `place` tells where it was read, for messages.

    per_case: the values of single cases in the dataset's order, where the metric has them; only rules over
    single cases read it.
    """

    team: str
    track: str
    board: str
    metric: str
    value: float | None
    is_baseline: bool = False
    eligible: bool = True
    place: str = ""
    per_case: Sequence[float | None] | None = field(default=None, repr=False, compare=False)

    @property
    def scored(self) -> float | None:
        """The value, or None where there is no number."""
        return number_of(self.value)


TeamValues = Mapping[str, Mapping[str, Mapping[str, float | None]]]
"""Values by team, board and metric."""


def number_of(value: float | None) -> float | None:
    """`value`, or None where it is no number."""
    return None if value is None or math.isnan(value) else value


def by_team(rows: Iterable[Row]) -> TeamValues:
    """The values of one track's rows."""
    values: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in rows:
        values.setdefault(row.team, {}).setdefault(row.board, {})[row.metric] = row.value
    return values


def check_rows(boards: Mapping[str, Board], rows: Collection[Row]) -> None:
    """Refuse rows that name what does not exist, stand twice or contradict each other.

    Raises:
        RankingError: naming the first such row.
    """
    columns: dict[tuple[str, str], set[tuple[str, str]]] = {}
    kinds: dict[tuple[str, str], tuple[bool, bool]] = {}
    for row in rows:
        entrant, column = (row.track, row.team), (row.board, row.metric)
        if column not in columns:
            _check_names(boards, row)
            columns[column] = set()
        _check_finite(row.value, row.place)
        if entrant in columns[column]:
            raise RankingError(
                f"{_at(row.place)}{row.team!r} has {row.metric} of {row.board} twice in track {row.track}"
            )
        columns[column].add(entrant)
        kind = (row.is_baseline, row.eligible)
        if kinds.setdefault(entrant, kind) != kind:
            raise RankingError(f"{_at(row.place)}{row.team!r} is a baseline, or eligible, in some rows only")


def check_values(boards: Mapping[str, Board], values: TeamValues) -> None:
    """Refuse values that name what does not exist, or that cannot be ranked.

    Raises:
        RankingError: naming the first such value.
    """
    known: set[tuple[str, str]] = set()
    for team, found in values.items():
        for board, metrics in found.items():
            for metric, value in metrics.items():
                if (board, metric) not in known:
                    _check_names(boards, Row(team, "", board, metric, value))
                    known.add((board, metric))
                _check_finite(value)


def _check_names(boards: Mapping[str, Board], row: Row) -> None:
    if row.board not in boards:
        raise RankingError(
            f"{_at(row.place)}there is no board {row.board!r}; the boards are {', '.join(boards)}"
        )
    metrics = boards[row.board].metrics
    if row.metric not in metrics:
        known = ", ".join(metrics)
        raise RankingError(
            f"{_at(row.place)}{row.board} has no metric {row.metric!r}; its metrics are {known}"
        )


def _check_finite(value: float | None, place: str = "") -> None:
    if value is not None and math.isinf(value):
        raise RankingError(f"{_at(place)}an infinite value cannot be ranked")


def check_range(row: Row, name: str) -> None:
    """Refuse a value that the metric called `name` cannot have.

    Raises:
        RankingError: naming the row.
        evaluator.metrics.registry.UnknownMetric: there is no such metric.
    """
    metric, value = lookup(name), row.scored
    if value is not None and not metric.minimum - _ROUNDING <= value <= metric.maximum + _ROUNDING:
        raise RankingError(
            f"{_at(row.place)}{row.metric} of {row.board} is {value:g}, and {name} lies in "
            f"{metric.minimum:g} to {metric.maximum:g}"
        )


def _at(place: str) -> str:
    return f"{place}: " if place else ""


def read_rows(path: Path, tracks: Collection[str], boards: Mapping[str, Board] | None = None) -> list[Row]:
    """The rows of a scores CSV file; columns other than the known ones are ignored.

    A row whose cell `unranked` says why it is shown and not ranked, as leaderboards write it, is left out.

    Raises:
        RankingError: with file and line: no such file, a column or cell missing, a value that is no number, a track
            that is not in `tracks`; where `boards` are given also names that are not theirs, or a value outside its
            metric's range.
        evaluator.metrics.registry.UnknownMetric: a metric of a board does not exist.
    """
    try:
        rows = list(_parse(path.name, _text(path), tracks))
    except TableError as error:
        raise RankingError(str(error)) from None
    if boards is not None:
        for row in rows:
            _check_names(boards, row)
            _check_finite(row.value, row.place)
            check_range(row, boards[row.board].metrics[row.metric].metric)
    return rows


def read_teams(path: Path, known: Collection[str] | None = None) -> dict[str, tuple[bool, bool]]:
    """Whether a team is a baseline, and eligible, from a CSV file `team,is_baseline,eligible`; {} without it.

    A mark is never lost in silence: whatever else the file holds is refused.

    Args:
        path: of the file.
        known: the names of all teams, where they are known.

    Raises:
        RankingError: with file and line: no valid UTF-8 or CSV, no column `team`, other columns, a team that
            stands twice or is not in `known`, or a mark that is no yes or no.
    """
    if not path.exists() and not path.is_symlink():
        return {}
    try:
        return _marks(path.name, text_table(path.name, _text(path)), known)
    except TableError as error:
        raise RankingError(str(error)) from None


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except TableError as error:
        raise RankingError(str(error)) from None


def _marks(name: str, table: TextTable, known: Collection[str] | None) -> dict[str, tuple[bool, bool]]:
    if "team" not in table.columns:
        raise RankingError(f"{name}:1: no column team")
    unknown = [column for column in table.columns if column not in ("team", *_MARKS)]
    if unknown:
        raise RankingError(
            f"{name}:1: no column is called {unknown[0]!r}; they are team, {', '.join(_MARKS)}"
        )
    marks: dict[str, tuple[bool, bool]] = {}
    for line, row in table.rows:
        place, cells = f"{name}:{line}", {column: text.strip() for column, text in row.items()}
        team = same_name(cells["team"])
        if not team:
            raise RankingError(f"{place}: team is empty")
        if team in marks:
            raise RankingError(f"{place}: {team!r} stands here a second time")
        if known is not None and team not in known:
            raise RankingError(f"{place}: there is no team {team!r}")
        marks[team] = (
            _flag(cells.get("is_baseline") or "0", f"{place}: is_baseline"),
            _flag(cells.get("eligible") or "1", f"{place}: eligible"),
        )
    return marks


def _parse(name: str, text: str, tracks: Collection[str]) -> Iterator[Row]:
    table = text_table(name, text)
    lacking = [column for column in COLUMNS if column not in table.columns]
    if lacking:
        raise RankingError(f"{name}:1: no column {', '.join(lacking)}; needed are {','.join(COLUMNS)}")
    for column in table.columns:
        meant = column.lower().replace(" ", "_").replace("-", "_")
        if meant in (*_MARKS, _UNRANKED) and column != meant:  # ignored, its marks would be lost
            raise RankingError(f"{name}:1: the column {column!r} is written {meant}")
    for line, cells in table.rows:
        told = {key: text.strip() for key, text in cells.items()}
        if not told.get(_UNRANKED):
            yield _row(told, f"{name}:{line}", tracks)


def same_name(team: str) -> str:
    """A team's name in composed characters: the same name typed on two systems is one team."""
    return unicodedata.normalize("NFC", team)


def _row(cells: Mapping[str, str], place: str, tracks: Collection[str]) -> Row:
    for column in COLUMNS[:-1]:
        if not cells[column]:
            raise RankingError(f"{place}: {column} is empty")
    if not cells["team"].isprintable():  # would steer the terminal, or turn the line around
        raise RankingError(f"{place}: team {cells['team'][:40]!a} holds characters that cannot be printed")
    if cells["track"] not in tracks:
        raise RankingError(
            f"{place}: there is no track {cells['track']!r}; the tracks are {', '.join(tracks)}"
        )
    return Row(
        team=same_name(cells["team"]),
        track=cells["track"],
        board=cells["task"],
        metric=cells["metric"],
        value=_value(cells["value"], place),
        is_baseline=_flag(cells.get("is_baseline", "0"), f"{place}: is_baseline"),
        eligible=_flag(cells.get("eligible") or "1", f"{place}: eligible"),
        place=place,
    )


def _value(text: str, place: str) -> float | None:
    if text.lower() in _NO_VALUE:
        return None
    number = math.inf if text.lower() in _INFINITE else decimal(text)
    if number is None:
        raise RankingError(f"{place}: value {text[:40]!r} is not a number")
    return number


def _flag(text: str, place: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise RankingError(f"{place} {text[:40]!r} is no yes or no; write 1, yes or true, or 0, no or false")
