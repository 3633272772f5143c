"""The rows of the two kinds of tables: a track over all its boards, and one board."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from contract.leaderboard import (
    BoardOut,
    CheckpointMark,
    EntryOut,
    MetricOut,
    PlacesOut,
    UnifiedOut,
    ValueOut,
)
from server.leaderboard.made import MadeTrack
from server.pages import footnotes
from server.web.public.tables import NONE, Cell, Column, decimals, number, numbered, share, told_elsewhere

MEAN, CHECKPOINT = "mean", "checkpoint"
_HELD = {
    CheckpointMark.ONE_FOR_ALL: Cell(
        "one for all", title="The images of all its tasks hold the same verified checkpoint"
    ),
    CheckpointMark.DIFFERING: Cell(
        "differing", title="Declared, and not the same verified checkpoint in the images of all its tasks"
    ),
    CheckpointMark.NOT_DECLARED: Cell(
        "not declared", quiet=True, title="No image of its tasks declares a pretrained checkpoint"
    ),
}
_UNSEEN = Cell(NONE, quiet=True, title="Not known: an older release checked an image, and did not look")


@dataclass(frozen=True)
class OverAll:
    """A track over all boards: their ranks, the weighted mean of these, and checkpoints where the challenge shows them.

    here: the address of the boards' pages.
    """

    track: MadeTrack
    here: str

    @cached_property
    def columns(self) -> Sequence[Column]:
        """The mean, each board, and whether the tasks share a checkpoint."""
        whole = sum(board.weight for board in self.track.heads)
        boards = [
            Column(
                key=board.board,
                title=board.board,
                below=share(board.weight, whole),
                full=board.title,
                href=f"{self.here}/boards/{board.board}?track={self.track.track}",
            )
            for board in self.track.heads
        ]
        mean = Column(MEAN, "Mean rank", full="Weighted mean of the board ranks", below="lower is better")
        held = Column(
            CHECKPOINT, "Checkpoint", full="One pretrained checkpoint for all tasks", below="all tasks"
        )
        return [mean, *boards, *([held] if self.checkpoints else [])]

    @cached_property
    def checkpoints(self) -> bool:
        """Whether there is something to be said of them."""
        return any(entry.checkpoint for entry in self.track.unified)

    def place(self, entry: UnifiedOut) -> float | None:
        """Over all boards."""
        return entry.placement

    def places(self, entry: UnifiedOut) -> PlacesOut | None:
        """Over all boards."""
        return entry.places

    def published(self, entry: UnifiedOut) -> float | None:
        """Over all boards."""
        return entry.published_placement

    def prize(self, entry: UnifiedOut) -> str | None:
        """What the place wins if the standings are final."""
        return entry.prize

    def number(self, entry: UnifiedOut, key: str) -> float | None:
        """The mean, the rank on a board, or where a checkpoint stands among the marks, the best first."""
        if key == CHECKPOINT:
            return next((at for at, mark in enumerate(CheckpointMark) if mark == entry.checkpoint), None)
        return entry.overall if key == MEAN else entry.board_ranks.get(key)

    def cell(self, entry: UnifiedOut, key: str) -> Cell:
        """A rank that stands for nothing on the board is in brackets."""
        if key == CHECKPOINT:
            return next((cell for mark, cell in _HELD.items() if mark == entry.checkpoint), _UNSEEN)
        if key == MEAN:
            return Cell(
                decimals(entry.overall, 2), told_elsewhere(entry.published_overall, entry.overall, ".2f")
            )
        rank = entry.board_ranks.get(key)
        if rank is None:
            return self._unranked(entry.team, key) if _apart(entry) else Cell(NONE, quiet=True)
        return Cell(f"({rank:g})", quiet=True) if key in entry.missing else Cell(f"{rank:g}")

    def _unranked(self, team: str, key: str) -> Cell:
        """What a team without ranks has on a board instead: the value of its first metric."""
        board = next(one for one in self.track.boards if one.head.board == key)
        attempt = board.shown.attempts.get((self._keys.get(team, ""), key))
        title, score = next(
            (
                (metric.title, attempt.scores[metric.name])
                for metric in board.head.metrics
                if attempt is not None and metric.name in attempt.scores
            ),
            ("", None),
        )
        if score is None or score.value is None:
            return Cell(NONE, quiet=True)
        return Cell(decimals(score.value, board.shown.decimals), title, quiet=True)

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        """The keys of teams, by their names."""
        marks = self.track.boards[0].shown.marks if self.track.boards else {}
        return {mark["team"]: key for key, mark in marks.items()}


def _apart(entry: UnifiedOut) -> bool:
    """Whether it has no ranks: a baseline, or who is disqualified."""
    return entry.baseline or entry.disqualified


@dataclass(frozen=True)
class OneBoard:
    """One board of a track: the values of its metrics with their intervals. decimals: of the values."""

    board: BoardOut
    decimals: int
    notes: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", numbered(footnotes(self.board)))

    @cached_property
    def columns(self) -> Sequence[Column]:
        """Each metric, with its direction."""
        return [metric_column(metric) for metric in self.board.metrics]

    def place(self, entry: EntryOut) -> float | None:
        """On this board."""
        return entry.rank

    def places(self, entry: EntryOut) -> PlacesOut | None:
        """On this board."""
        return entry.places

    def published(self, entry: EntryOut) -> float | None:
        """On this board."""
        return entry.published_rank

    def prize(self, entry: EntryOut) -> str | None:
        """Boards win nothing."""
        return None

    def number(self, entry: EntryOut, key: str) -> float | None:
        """The value, as it is shown."""
        return entry.metrics[key].value if key in entry.metrics else None

    def cell(self, entry: EntryOut, key: str) -> Cell:
        """The value with its interval."""
        return value_cell(entry.metrics[key], self.decimals, self.notes)


def metric_column(metric: MetricOut) -> Column:
    """A metric with which way is better."""
    return Column(metric.name, metric.title, better=metric.better, reason=metric.reason)


def value_cell(value: ValueOut, count: int, notes: Mapping[str, int]) -> Cell:
    """A value, its interval, and the number of what is to be said of it."""
    note = value.note or value.reason
    return Cell(
        decimals(value.value, count),
        "" if value.low is None else f"{decimals(value.low, count)} to {decimals(value.high, count)}",
        notes.get(note, 0) if note else 0,
        quiet=value.value is None,
    )


@dataclass(frozen=True)
class Detail:
    """What a team has on one board, for its opened row."""

    board: BoardOut
    rank: str
    entry: EntryOut
    values: Sequence[tuple[str, str, Cell, str | None]]


def details(track: MadeTrack, team: str, count: int) -> list[Detail]:
    """What a team has on each board that it has something on."""
    found = []
    for board in (made.out for made in track.boards):
        entry = next((one for one in board.entries if one.team == team), None)
        if entry is not None:
            values = [
                (metric.title, arrow(metric.better), value_cell(value, count, {}), value.note or value.reason)
                for metric in board.metrics
                if (value := entry.metrics.get(metric.name)) is not None
            ]
            found.append(Detail(board, number(entry.rank), entry, values))
    return found


def arrow(better: str | None) -> str:
    """Which way is better, as a sign."""
    return {"higher": "↑", "lower": "↓"}.get(better or "", "")
