"""Reading a file of published results: every mistake is named, and nothing is taken of a file that has one."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from contract.bounds import MOST_INT
from contract.texts import line as one_line
from evaluator.metrics.registry import UnknownMetric
from evaluator.ranking import RankingError, Row, check_range
from evaluator.spec import Challenge as Spec
from evaluator.tables import decimal
from server.names import display_name, skeleton
from server.published.models import PublishedContent, PublishedOnBoard, PublishedTeam

NEEDED = ("team", "track", "task", "metric", "value")
"""The columns that a file has to have; `task` names the board, as in every file of scores."""
OPTIONAL = ("task_rank", "overall_rank", "placement", "is_baseline", "eligible", "disclaimer")
"""Published ranks: on the board, the mean over the boards, the place over all of them; and marks of the team."""
MOST_OF_A_DISCLAIMER = 500

_NO_VALUE = {"", "nan", "na", "n/a", "none", "null"}
_YES, _NO = {"1", "true", "yes"}, {"0", "false", "no"}
_OF_TEAM = {
    "overall_rank": "overall",
    "placement": "placement",
    "is_baseline": "baseline",
    "eligible": "eligible",
    "disclaimer": "disclaimer",
}
"""Columns that say of a team in a track what stands in its row once, and the field that keeps it."""


@dataclass(frozen=True, order=True)
class Mistake:
    """What is wrong with a file of results. column: None where it is the whole line."""

    line: int
    column: str | None = field(compare=False)
    message: str = field(compare=False)

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        return f"{where}: {self.message}"


class WrongResults(ValueError):
    """A file of results with mistakes, in the order of its lines."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


def read_results(text: str, spec: Spec) -> PublishedContent:
    """What a file of published results holds.

    Raises:
        WrongResults: with every mistake.
    """
    reading = _Reading(spec)
    lines = list(reading.lines(text))
    for number, cells in lines:
        reading.take(number, cells)
    if not lines and not reading.mistakes:
        reading.wrong(1, None, "there are no results below the first line")
    reading.look_at_teams()
    if reading.mistakes:
        raise WrongResults(sorted(reading.mistakes))
    return PublishedContent(teams=[_team(team) for team in reading.teams.values()])


@dataclass
class _Team:
    """What was read of a team in a track so far, with the line that said each thing first."""

    line: int
    name: str
    track: str
    said: dict[str, tuple[Any, int]] = field(default_factory=dict)
    ranks: dict[str, tuple[float, int]] = field(default_factory=dict)
    values: dict[tuple[str, str], tuple[float | None, int]] = field(default_factory=dict)


class _Reading:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.mistakes: list[Mistake] = []
        self.teams: dict[tuple[str, str], _Team] = {}
        self._looks: dict[str, tuple[str, int]] = {}

    def wrong(self, line: int, column: str | None, message: str) -> None:
        self.mistakes.append(Mistake(line, column, message))

    def lines(self, text: str) -> Iterator[tuple[int, dict[str, str]]]:
        """The rows as cells by column, where the first line names the columns and the row has as many cells."""
        reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
        try:
            columns = [cell.strip() for cell in next(reader, [])]
            if not self._are_columns(columns):
                return
            for cells in reader:
                if len(cells) == len(columns):
                    yield reader.line_num, dict(zip(columns, map(str.strip, cells), strict=True))
                elif cells:
                    counts = f"{len(cells)} cells, and there are {len(columns)} columns"
                    self.wrong(reader.line_num, None, f"the row has {counts}; numbers have a point, no comma")
        except csv.Error as error:
            self.wrong(reader.line_num, None, f"is no valid CSV from here on: {error}")

    def _are_columns(self, columns: list[str]) -> bool:
        before = len(self.mistakes)
        for column in NEEDED:
            if column not in columns:
                self.wrong(1, column, "there is no such column")
        for column in dict.fromkeys(columns):
            if columns.count(column) > 1:
                self.wrong(1, column, "two columns have this name")
            if column not in NEEDED + OPTIONAL:
                self.wrong(1, column, f"is no column of results; they are {', '.join(NEEDED + OPTIONAL)}")
        return len(self.mistakes) == before

    def take(self, line: int, cells: dict[str, str]) -> None:
        """One row; what is wrong in one cell keeps no other from being looked at."""
        name, track = self._name(line, cells["team"]), cells["track"]
        if track not in self.spec.tracks:
            known = ", ".join(self.spec.tracks)
            self.wrong(line, "track", f"there is no track {track!r}; the tracks are {known}")
            name = None
        value = self._value(line, cells)
        marks = {column: self._mark(line, column, cells.get(column, "")) for column in OPTIONAL}
        if name is None:
            return
        team = self.teams.setdefault((track, name), _Team(line, name, track))
        board, metric = cells["task"], cells["metric"]
        if self._has(board, metric):
            earlier = team.values.setdefault((board, metric), (value, line))[1]
            if earlier != line:
                self.wrong(line, "metric", f"{name} has {metric} of {board} already, in line {earlier}")
        for column, said in marks.items():
            self._agree(team, board, line, column, said)

    def _name(self, line: int, text: str) -> str | None:
        try:
            name = display_name(text)
        except ValueError as error:
            self.wrong(line, "team", f"a team's name {error}" if text else "the team has no name")
            return None
        known, first = self._looks.setdefault(skeleton(name), (name, line))
        if known != name:
            self.wrong(
                line, "team", f"{name!r} looks like {known!r} in line {first}; write a team in one way"
            )
        return name

    def _has(self, board: str, metric: str) -> bool:
        return board in self.spec.boards and metric in self.spec.boards[board].metrics

    def _value(self, line: int, cells: dict[str, str]) -> float | None:
        board, metric, text = cells["task"], cells["metric"], cells["value"]
        if board not in self.spec.boards:
            known = ", ".join(self.spec.boards)
            self.wrong(line, "task", f"there is no board {board!r}; the boards are {known}")
        elif metric not in self.spec.boards[board].metrics:
            known = ", ".join(self.spec.boards[board].metrics)
            self.wrong(line, "metric", f"{board} has no metric {metric!r}; its metrics are {known}")
        if text.lower() in _NO_VALUE:
            return None
        value = decimal(text)
        if value is None or not math.isfinite(value):
            self.wrong(line, "value", f"{text!r} is no number such as 0.25 or 1e-3")
            return None
        if self._has(board, metric):
            self._check_range(line, board, metric, value)
        return value

    def _check_range(self, line: int, board: str, metric: str, value: float) -> None:
        name = self.spec.boards[board].metrics[metric].metric
        try:
            check_range(Row("", "", board, metric, value), name)
        except RankingError as error:
            self.wrong(line, "value", str(error))
        except UnknownMetric:  # not installed here: shown and not ranked
            pass

    def _mark(self, line: int, column: str, text: str) -> Any:
        """What a cell says beside the value; None where it says nothing, or nothing that can be read."""
        if not text or (column.endswith(("rank", "placement")) and text.lower() in _NO_VALUE):
            return None
        if column in ("is_baseline", "eligible"):
            if text.lower() in _YES | _NO:
                return text.lower() in _YES
            self.wrong(line, column, f"{text!r} is no yes or no; write 1 or 0")
            return None
        if column == "disclaimer":
            return self._disclaimer(line, text)
        return self._rank(line, column, text)

    def _rank(self, line: int, column: str, text: str) -> float | int | None:
        rank = decimal(text)
        if rank is None or not 1 <= rank <= MOST_INT or (column == "placement" and rank % 1):
            kind = "place: a whole number" if column == "placement" else "rank: a number"
            self.wrong(line, column, f"{text!r} is no {kind} from 1 on")
            return None
        return int(rank) if column == "placement" else rank

    def _disclaimer(self, line: int, text: str) -> str | None:
        try:
            if len(text) > MOST_OF_A_DISCLAIMER:
                raise ValueError(f"has more than {MOST_OF_A_DISCLAIMER} characters")
            return one_line(text)
        except ValueError as error:
            self.wrong(line, "disclaimer", str(error))
            return None

    def _agree(self, team: _Team, board: str, line: int, column: str, said: Any) -> None:
        """What is said of a team, or of a team on a board, is the same wherever it is said."""
        if said is None:
            return
        place: dict[str, Any] = team.ranks if column == "task_rank" else team.said
        first, earlier = place.setdefault(board if column == "task_rank" else column, (said, line))
        if first != said:
            of = f"{team.name} on {board}" if column == "task_rank" else team.name
            self.wrong(line, column, f"says {said} of {of}, and line {earlier} says {first}")

    def look_at_teams(self) -> None:
        """What only a team's rows together tell."""
        unread = {mistake.line for mistake in self.mistakes if mistake.column == "value"}
        for team in self.teams.values():
            if team.values and all(
                value is None and line not in unread for value, line in team.values.values()
            ):
                self.wrong(team.line, "value", f"{team.name} has no value in track {team.track}")
            if team.said.get("is_baseline", (False, 0))[0]:
                self._look_at_baseline(team)

    def _look_at_baseline(self, team: _Team) -> None:
        ranked = [
            (column, team.said[column]) for column in ("overall_rank", "placement") if column in team.said
        ]
        for column, (_, line) in [*ranked, *(("task_rank", told) for told in team.ranks.values())]:
            self.wrong(line, column, f"{team.name} is a baseline, and a baseline has no rank")


def _team(found: _Team) -> PublishedTeam:
    boards: dict[str, dict[str, float | None]] = {}
    for (board, metric), (value, _) in found.values.items():
        boards.setdefault(board, {})[metric] = value
    said = {_OF_TEAM[column]: told for column, (told, _) in found.said.items()}
    ranks = {board: rank for board, (rank, _) in found.ranks.items()}
    return PublishedTeam(
        team=found.name,
        track=found.track,
        boards={
            name: PublishedOnBoard(values=values, rank=ranks.get(name)) for name, values in boards.items()
        },
        **said,
    )
