"""What a decision changes on boards, laid out for people: a table of teams against boards, and one of places."""

from collections.abc import Sequence
from dataclasses import dataclass

from contract.changes import MetricShift, PhaseShift, PlaceShift, Shifts, TrackShift
from evaluator.charts import Picture
from evaluator.ranking import direction_of
from evaluator.spec import Challenge as Spec
from server.web.organize.drawings import moved
from server.web.titles import Titles


@dataclass(frozen=True)
class Changed:
    """A metric of a team on a board: both values as the board writes them, their difference, and whether it is better.

    better: None where the values are the same as written, or one is missing.
    """

    metric: str
    before: str
    after: str
    difference: str
    better: bool | None


@dataclass(frozen=True)
class Cell:
    """A team on a board; ranks are None where it has none."""

    rank_before: float | None
    rank_after: float | None
    metrics: Sequence[Changed]


@dataclass(frozen=True)
class Matrix:
    """What changes in a track of a phase. rows: of teams, a cell or None for each of `boards`."""

    phase: str
    track: str
    rule: bool
    boards: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]
    moved: Sequence[PlaceShift]
    stay: int

    @property
    def picture(self) -> Picture | None:
        """How places move, drawn; None where none does."""
        return moved(self.track, self.moved)


def matrices(shifts: Shifts, spec: Spec) -> list[Matrix]:
    """A table for each track of each phase in which anything changes."""
    tables = (_matrix(phase, track, spec) for phase in shifts.phases for track in phase.tracks)
    return [table for table in tables if table.rows or table.moved]


def _matrix(phase: PhaseShift, track: TrackShift, spec: Spec) -> Matrix:
    cells: dict[str, dict[str, Cell]] = {}
    for board in track.boards:
        for entry in board.entries:
            changed = [_changed(metric, board.board, phase.decimals, spec) for metric in entry.metrics]
            cells.setdefault(entry.team, {})[board.board] = Cell(entry.rank_before, entry.rank_after, changed)
    moved = [one for one in track.teams if one.cause is not None]
    order = {one.team: number for number, one in enumerate(track.teams)}
    teams = sorted(cells, key=lambda team: (order.get(team, len(order)), team))
    return Matrix(
        phase=Titles(spec).phase(phase.phase),
        track=track.track,
        rule=phase.rule,
        boards=[board.title for board in track.boards],
        rows=[(team, [cells[team].get(board.board) for board in track.boards]) for team in teams],
        moved=moved,
        stay=len(track.teams) - len(moved),
    )


def _changed(shift: MetricShift, board: str, decimals: int, spec: Spec) -> Changed:
    before, after = (None if side is None else side.value for side in (shift.before, shift.after))
    difference, better = "", None
    if before is not None and after is not None:
        difference = f"{after - before:+.{decimals}f}"
        if float(difference) != 0:
            better = _is_better(after - before, board, shift.metric, spec)
    title = Titles(spec).metric(board, shift.metric)
    return Changed(title, _written(before, decimals), _written(after, decimals), difference, better)


def _is_better(difference: float, board: str, metric: str, spec: Spec) -> bool | None:
    found = spec.boards.get(board)
    direction = direction_of(found.metrics[metric]) if found and metric in found.metrics else None
    return None if direction is None else (difference > 0) == (direction == "higher")


def _written(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"
