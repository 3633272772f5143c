"""What the command prints of leaderboards: tables for any width of terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich import box
from rich.columns import Columns
from rich.console import Console as AnyConsole
from rich.console import ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from client.terminal import is_plain
from contract.certainty import CertaintyOut
from contract.leaderboard import (
    PENDING,
    BoardOut,
    LeaderboardOut,
    Marks,
    PlacesOut,
    TrackOut,
    UnifiedOut,
    Valued,
    ValueOut,
)
from evaluator.terminal import in_line

_Row = tuple[str, Text, list[str]]  # place, team, and a value per column

_OVERALL = "overall: weighted mean of the board ranks, lower is better."
_EXCLUDED = (
    "Behind each place: those that cannot be excluded with {level:.0%} confidence, for all teams at once."
)
_IN_BRACKETS = "In brackets: no scored submission."
_OTHERWISE = "On other cases, in another way or with another metric than what counts now: not to be compared."


def leaderboard_tables(board: LeaderboardOut) -> Iterator[RenderableType]:
    """The unified leaderboard of each track, then its boards with what was scored otherwise.

    A rank in brackets is of a board without a scored submission.
    """
    if board.released_early:
        yield Text(f"Released before it was final: {board.released_early}\n", style="yellow")
    if board.frozen:
        yield Text(
            f"Frozen since {_moment(board.freezes)}: what was scored later does not show.\n", style="yellow"
        )
    if board.published:
        yield Text("\n".join(in_line(sentence) for sentence in board.published.sentences) + "\n")
    for track in board.tracks:
        if track.unified:
            yield _unified(board, track)
        for column in track.boards:
            if column.entries:
                yield _board(track, column, board.decimals)
            if column.otherwise:
                yield _otherwise(track, column, board.decimals)


@dataclass(frozen=True)
class _Ranking:
    """A ranking with a column per head; where these do not fit, every team's values stand below its name."""

    title: str
    first: str
    heads: Sequence[str]
    rows: Sequence[_Row]
    notes: Sequence[str] = ()

    def __rich_console__(self, console: AnyConsole, options: ConsoleOptions) -> RenderResult:
        """What rich prints."""
        wide = self._wide()
        fits = console.measure(wide, options=options.update(width=10_000)).maximum <= options.max_width
        table = wide if fits else self._narrow()
        yield Text(self.title, style="italic")
        yield table
        yield Text("\n".join(self.notes) + "\n", style="dim italic")

    def _wide(self) -> Table:
        table = _begun(self.first)
        for head in self.heads:
            table.add_column(head, justify="right", no_wrap=True)
        for place, team, values in self.rows:
            table.add_row(place, team, *values)
        return table

    def _narrow(self) -> Table:
        table = _begun(self.first)
        for place, team, values in self.rows:
            pairs = [
                Text.assemble(f"{head} ", (value, "bold"))
                for head, value in zip(self.heads, values, strict=True)
            ]
            table.add_row(place, Group(team, Columns(pairs, padding=(0, 2))))
        return table


def _begun(first: str) -> Table:
    lines = None if is_plain() else box.SIMPLE_HEAD
    table = Table(
        box=lines,
        pad_edge=False,
        collapse_padding=lines is not None,
        padding=(0, 1) if lines else (0, 2, 0, 0),
    )
    table.add_column(first, justify="right", no_wrap=True)
    table.add_column("team", overflow="fold")
    return table


def _unified(board: LeaderboardOut, track: TrackOut) -> _Ranking:
    prized = any(row.prize for row in track.unified)
    heads = ["overall", *(["prize"] if prized else []), *(ranked.board for ranked in track.boards)]
    rows = [
        (
            number(row.placement, 0) + _places(row.places),
            _team(row, track.unified),
            [
                number(row.overall, 3),
                *([row.prize or "–"] if prized else []),
                *(_board_rank(row, ranked.board) for ranked in track.boards),
            ],
        )
        for row in track.unified
    ]
    brackets = [_IN_BRACKETS] if any("(" in value for _, _, values in rows for value in values) else []
    notes = [
        " ".join([_OVERALL, *brackets]),
        *(["prize: if these standings are final and decide the prizes."] if prized else []),
        *([PENDING] if track.certainty_pending else _certainty(track.certainty)),
        *_disclaimers(track.unified),
        *_dates(board),
    ]
    title = f"{board.title} · {board.phase_title} · track {track.track}"
    return _Ranking(title, "place", heads, rows, notes)


def _places(found: PlacesOut | None) -> str:
    """The places that cannot be excluded, behind the place itself."""
    if found is None:
        return ""
    return f" ({found.low})" if found.low == found.high else f" ({found.low}–{found.high})"


def _certainty(found: CertaintyOut | None) -> list[str]:
    """What is sure of the places, in sentences."""
    if found is None:
        return []
    shares = sorted(found.weight_space.items(), key=lambda pair: (-pair[1], pair[0]))
    first = ", ".join(f"{in_line(team)} in {share:.1%}" for team, share in shares if share > 0)
    return [
        *(in_line(f"Warning: {warning.sentence}") for warning in found.warnings),
        *([_EXCLUDED.format(level=found.level)] if found.winners else []),
        *([f"Cannot be excluded as first: {in_line(', '.join(found.winners))}."] if found.winners else []),
        *(in_line(sentence) for sentence in (found.decision.sentences if found.decision else ())),
        *([f"Of the weights around the declared ones, first: {first}."] if len(shares) > 1 and first else []),
        *(in_line(note) for note in found.notes),
    ]


def _board_rank(row: UnifiedOut, board: str) -> str:
    place = row.board_ranks.get(board)
    rank = number(place, 2)
    return f"({rank})" if board in row.missing and place is not None else rank


def _board(track: TrackOut, board: BoardOut, decimals: int) -> _Ranking:
    notes = _notes(board.entries)
    rows = [
        (
            number(entry.rank, 2) + _places(entry.places),
            _team(entry, board.entries),
            [_value(entry.metrics.get(column.name), decimals, notes) for column in board.metrics],
        )
        for entry in board.entries
    ]
    heads = [column.title for column in board.metrics]
    facts = [
        *([_counted(board.cases, "case", "cases")] if board.cases is not None else []),
        _counted(len(board.entries), "entry", "entries"),
    ]
    facts += [f"last scored {_moment(board.last_scored)}"] if board.last_scored else []
    told = [
        " · ".join(facts),
        *_drawn(board),
        *_unranked(board),
        *_numbered(notes),
        *_disclaimers(board.entries),
    ]
    return _Ranking(f"{board.title} ({board.board}) · track {track.track}", "rank", heads, rows, told)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _otherwise(track: TrackOut, board: BoardOut, decimals: int) -> _Ranking:
    notes = _notes(board.otherwise)
    rows = [
        (
            "–",
            _team(entry, ()),
            [
                *(_value(entry.metrics.get(column.name), decimals, notes) for column in board.metrics),
                _moment(entry.scored_at or entry.submitted_at),
                ", ".join(entry.differs),
            ],
        )
        for entry in board.otherwise
    ]
    heads = [*(column.title for column in board.metrics), "scored", "differs in"]
    title = f"{board.title} ({board.board}) · track {track.track} · scored otherwise: {len(rows)}"
    told = [_OTHERWISE, *_numbered(notes), *_disclaimers(board.otherwise)]
    return _Ranking(title, "", heads, rows, told)


def _drawn(board: BoardOut) -> list[str]:
    """What the interval of a value is."""
    if not board.bootstrap or not board.entries:
        return []
    ways = f" How they are made: {in_line(board.ways)}" if board.ways else ""
    return [f"In parentheses: {board.bootstrap.sentence}{ways}"]


def _unranked(board: BoardOut) -> list[str]:
    """Why a column of a board is not ranked."""
    return [f"{column.title}: {column.reason}" for column in board.metrics if column.reason]


def _notes(listed: Sequence[Valued]) -> list[str]:
    """What is to be said of the values of a table, each once."""
    values = (value for entry in listed for value in entry.metrics.values())
    return list(dict.fromkeys(said for value in values if (said := value.note or value.reason)))


def _numbered(notes: Sequence[str]) -> list[str]:
    return [f"[{place}] {note}" for place, note in enumerate(notes, 1)]


def _value(value: ValueOut | None, decimals: int, notes: Sequence[str]) -> str:
    if value is None:
        return "–"
    said = value.note or value.reason
    mark = f" [{notes.index(said) + 1}]" if said else ""
    if value.value is None:
        return f"–{mark}"
    if value.low is None or value.high is None:
        return f"{value.value:.{decimals}f}{mark}"
    return f"{value.value:.{decimals}f} ({value.low:.{decimals}f} to {value.high:.{decimals}f}){mark}"


def _team(row: Marks, rows: Sequence[Marks]) -> Text:
    """The team with its marks, those in words too that a page shows by colour."""
    leading = sum(row.first for row in rows)
    marks = [
        *(["tied for first" if leading > 1 else "first"] if row.first else []),
        *(["disqualified"] if row.disqualified else []),
        *(["baseline"] if row.baseline else []),
        *(["no prize"] if not (row.eligible or row.baseline or row.disqualified) else []),
    ]
    return Text.assemble(in_line(row.team), (f" ({', '.join(marks)})", "dim") if marks else "")


def _disclaimers(rows: Sequence[Marks]) -> list[str]:
    return [in_line(f"{row.team}: {row.disclaimer}") for row in rows if row.disclaimer]


def _dates(board: LeaderboardOut) -> list[str]:
    dates = [
        *([f"closes {_moment(board.closes)}"] if board.closes else []),
        *([f"last scored {_moment(board.last_scored)}"] if board.last_scored else []),
    ]
    return [" · ".join(dates)] if dates else []


def _moment(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def number(value: float | None, digits: int) -> str:
    """A rank without needless zeros."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
