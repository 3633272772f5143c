"""The scores that enter a ranking, and the CSV file they may come from."""

import csv
import io
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.spec import Board

COLUMNS = ("team", "track", "task", "metric", "value")
"""The columns every scores file has; `task` names the board. `is_baseline` and `eligible` are optional."""

_TRUE = {"1", "true", "yes"}
_FALSE = {"", "0", "false", "no"}
_NO_VALUE = {"", "nan", "na", "n/a", "none", "null"}


class RankingError(ValueError):
    """Scores that cannot be ranked; the message names the line where they come from a file."""


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
        return None if self.value is None or math.isnan(self.value) else self.value


def check_rows(boards: Mapping[str, Board], rows: Collection[Row]) -> None:
    """Refuse rows that name what does not exist, stand twice or contradict each other.

    Raises:
        RankingError: naming the first such row.
    """
    seen: set[tuple[str, str, str, str]] = set()
    kinds: dict[tuple[str, str], tuple[bool, bool]] = {}
    for row in rows:
        _check_names(boards, row)
        key = (row.track, row.team, row.board, row.metric)
        if key in seen:
            raise RankingError(
                f"{_at(row)}{row.team!r} has {row.metric} of {row.board} twice in track {row.track}"
            )
        seen.add(key)
        kind = (row.is_baseline, row.eligible)
        if kinds.setdefault(key[:2], kind) != kind:
            raise RankingError(f"{_at(row)}{row.team!r} is a baseline, or eligible, in some rows only")


def _check_names(boards: Mapping[str, Board], row: Row) -> None:
    if row.board not in boards:
        raise RankingError(f"{_at(row)}there is no board {row.board!r}; the boards are {', '.join(boards)}")
    metrics = boards[row.board].metrics
    if row.metric not in metrics:
        known = ", ".join(metrics)
        raise RankingError(f"{_at(row)}{row.board} has no metric {row.metric!r}; its metrics are {known}")
    if row.value is not None and math.isinf(row.value):
        raise RankingError(f"{_at(row)}an infinite value cannot be ranked")


def _at(row: Row) -> str:
    return f"{row.place}: " if row.place else ""


def read_rows(path: Path, tracks: Collection[str]) -> list[Row]:
    """The rows of a scores CSV file; columns other than the known ones are ignored.

    Raises:
        RankingError: with file and line: no such file, a column or cell missing, a value that is no number,
            a track that is not in `tracks`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RankingError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RankingError(f"{path}: cannot be read: {error}") from None
    return list(_parse(path.name, text, tracks))


def read_teams(path: Path) -> dict[str, tuple[bool, bool]]:
    """Whether a team is a baseline, and eligible, from a CSV file `team,is_baseline,eligible`; {} without it.

    Raises:
        RankingError: with file and line: no column `team`, or a mark that is neither 1 nor 0.
    """
    if not path.exists():
        return {}
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    if "team" not in (reader.fieldnames or ()):
        raise RankingError(f"{path.name}:1: no column team")
    marks: dict[str, tuple[bool, bool]] = {}
    for cells in reader:
        place = f"{path.name}:{reader.line_num}"
        baseline, eligible = cells.get("is_baseline") or "0", cells.get("eligible") or "1"
        marks[cells["team"]] = (
            _flag(baseline.strip(), f"{place}: is_baseline"),
            _flag(eligible.strip(), f"{place}: eligible"),
        )
    return marks


def _parse(name: str, text: str, tracks: Collection[str]) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    lacking = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if lacking:
        raise RankingError(f"{name}:1: no column {', '.join(lacking)}; needed are {','.join(COLUMNS)}")
    try:
        for cells in reader:
            place = f"{name}:{reader.line_num}"
            if None in cells:  # a decimal comma makes two cells of one number
                raise RankingError(f"{place}: more cells than columns; a number is written with a point")
            yield _row({key: (text or "").strip() for key, text in cells.items() if key}, place, tracks)
    except csv.Error as error:
        raise RankingError(f"{name}:{reader.reader.line_num}: not valid CSV: {error}") from None


def _row(cells: Mapping[str, str], place: str, tracks: Collection[str]) -> Row:
    for column in COLUMNS[:-1]:
        if not cells[column]:
            raise RankingError(f"{place}: {column} is empty")
    if cells["track"] not in tracks:
        raise RankingError(
            f"{place}: there is no track {cells['track']!r}; the tracks are {', '.join(tracks)}"
        )
    return Row(
        team=cells["team"],
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
    try:
        return float(text)
    except ValueError:
        raise RankingError(f"{place}: value {text!r} is not a number") from None


def _flag(text: str, place: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise RankingError(f"{place} {text!r} is neither 1 nor 0")
