"""A board's table as its page shows it: sorted, filtered and cut in Python, so that a template only writes it down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Protocol, TypeVar

from contract.leaderboard import Marks, PlacesOut
from server.web.public.query import View

NONE = "–"

_Entry = TypeVar("_Entry", bound=Marks)
_Shown = TypeVar("_Shown", bound=Marks, contravariant=True)


class Cell(NamedTuple):
    """What stands in a cell: a value, what is below it, the number of its note, whether it says little.

    title: what it means.
    """

    text: str
    below: str = ""
    note: int = 0
    quiet: bool = False
    title: str = ""


class Mark(NamedTuple):
    """A word beside a team's name, and what it means."""

    text: str
    tone: str = ""
    title: str = ""


class Line(NamedTuple):
    """A team's row. kind: "first", "baseline", "disqualified" or nothing, for its colour; each has a word, too."""

    name: str
    kind: str
    place: str
    places: str
    marks: Sequence[Mark]
    disclaimer: str | None
    prize: str | None
    cells: Sequence[Cell]
    link: str
    compared: bool
    own: bool
    opened: bool


@dataclass(frozen=True)
class Column:
    """A column of values. better: "higher" or "lower", None where values are not ranked, for the `reason`.

    below: what stands under its title. href: the page of what it shows.
    """

    key: str
    title: str
    below: str = ""
    full: str = ""
    better: str | None = "lower"
    reason: str | None = None
    href: str | None = None


class Source(Protocol[_Shown]):
    """Where the rows of a table come from."""

    @property
    def columns(self) -> Sequence[Column]:
        """Every column but place and team."""

    def place(self, entry: _Shown) -> float | None:
        """What ranks the entry here."""

    def places(self, entry: _Shown) -> PlacesOut | None:
        """Its places that cannot be excluded."""

    def published(self, entry: _Shown) -> float | None:
        """The place that was published of it elsewhere."""

    def prize(self, entry: _Shown) -> str | None:
        """What its place wins."""

    def number(self, entry: _Shown, key: str) -> float | None:
        """What a column is sorted by."""

    def cell(self, entry: _Shown, key: str) -> Cell:
        """What stands in a column."""


@dataclass(frozen=True)
class Table(Generic[_Entry]):
    """What a page shows of a board. total: of all entries; found: of those that the filter leaves.

    lines: those on top first. opened: whose everything is shown, if they are on the page. over: more teams were to be
    compared than are.
    """

    view: View
    columns: Sequence[Column]
    every: Sequence[Column]
    lines: Sequence[Line]
    total: int
    found: int
    begin: int
    pages: int
    opened: _Entry | None
    compared: Sequence[str]

    @property
    def end(self) -> int:
        """The number of the last line of this page, of all that are found."""
        return min(self.begin + self.view.per, self.found)


def table_of(source: Source[_Entry], entries: Sequence[_Entry], view: View, own: str | None) -> Table[_Entry]:
    """The table that `view` asks for; `entries` come in the order of their places. own: the reader's team."""
    every = source.columns
    known = {column.key for column in every}
    view = replace(view, columns=tuple(key for key in view.columns if key in known))
    if set(view.columns) == known:
        view = replace(view, columns=())
    if view.sort not in known | {"place", "team"}:
        view = replace(view, sort="place", descending=False)
    columns = [column for column in every if not view.columns or column.key in view.columns]
    by_name = {entry.team: entry for entry in entries}
    compared = [name for name in view.compared if name in by_name]
    listed = _sorted(source, _filtered(entries, view.text), view)
    begin, pages, view = _cut(listed, view)
    shown = [by_name[name] for name in compared]
    shown += [entry for entry in listed[begin : begin + view.per] if entry.team not in compared]
    several = sum(entry.first for entry in entries) > 1
    keys = [column.key for column in columns]
    return Table(
        view=view,
        columns=columns,
        every=every,
        lines=[_line(source, entry, view, keys, several=several, own=own) for entry in shown],
        total=len(entries),
        found=len(listed),
        begin=begin,
        pages=pages,
        opened=next((entry for entry in shown if entry.team == view.opened), None),
        compared=compared,
    )


def _filtered(entries: Sequence[_Entry], text: str) -> list[_Entry]:
    wanted = text.casefold()
    return [entry for entry in entries if wanted in entry.team.casefold()]


def _sorted(source: Source[_Entry], entries: list[_Entry], view: View) -> list[_Entry]:
    """By what the view says; whoever has nothing there comes last, whichever way round."""
    if view.sort == "team":
        return sorted(entries, key=lambda entry: entry.team.casefold(), reverse=view.descending)
    if view.sort == "place" and not view.descending:
        return entries
    pairs = [
        (source.place(entry) if view.sort == "place" else source.number(entry, view.sort), entry)
        for entry in entries
    ]
    having = [(number, entry) for number, entry in pairs if number is not None]
    having.sort(key=lambda pair: pair[0], reverse=view.descending)
    return [entry for _, entry in having] + [entry for number, entry in pairs if number is None]


def _cut(listed: Sequence[_Entry], view: View) -> tuple[int, int, View]:
    """Where the page begins, how many there are, and the view with the page that is shown."""
    pages = max(1, -(-len(listed) // view.per))
    opened = next((at for at, entry in enumerate(listed) if entry.team == view.opened), None)
    number = min(view.page, pages) if opened is None else opened // view.per + 1
    return (number - 1) * view.per, pages, replace(view, page=number)


def _line(
    source: Source[_Entry], entry: _Entry, view: View, keys: Sequence[str], *, several: bool, own: str | None
) -> Line:
    is_open = entry.team == view.opened
    return Line(
        name=entry.team,
        kind=_kind(entry),
        place=number(source.place(entry)),
        places=places_said(source.places(entry))
        or told_elsewhere(source.published(entry), source.place(entry)),
        marks=_marks(entry, several=several, own=entry.team == own),
        disclaimer=entry.disclaimer,
        prize=source.prize(entry),
        cells=[source.cell(entry, key) for key in keys],
        link=view.link(opened="" if is_open else entry.team, page=view.page) + ("" if is_open else "#open"),
        compared=entry.team in view.compared,
        own=entry.team == own,
        opened=is_open,
    )


def _kind(entry: Marks) -> str:
    if entry.disqualified:
        return "disqualified"
    if entry.baseline:
        return "baseline"
    return "first" if entry.first else ""


def _marks(entry: Marks, *, several: bool, own: bool) -> Sequence[Mark]:
    """What is to be said of a team, in words."""
    found = []
    if own:
        found.append(Mark("yours", "busy", "Your team"))
    if entry.first:
        found.append(Mark("tied for first" if several else "first", "lead"))
    if entry.disqualified:
        found.append(Mark("disqualified", "warn", "Out of the ranking; others have moved up"))
    if entry.baseline:
        found.append(
            Mark("baseline", "", "A reference by the organizers: shown with its values, never ranked")
        )
    elif not entry.eligible and not entry.disqualified:
        found.append(Mark("no prize", "warn", "Ranked, and not eligible for prizes"))
    return found


def number(value: float | None) -> str:
    """A place or a rank, which may lie between two where teams tie."""
    return NONE if value is None else f"{value:g}"


def places_said(places: PlacesOut | None) -> str:
    """The places that cannot be excluded."""
    if places is None:
        return ""
    return f"{places.low}" if places.low == places.high else f"{places.low} to {places.high}"


def share(weight: float, whole: float) -> str:
    """A board's part of all weights."""
    return f"{weight / whole * 100 if whole else 0:.3g} %"


def told_elsewhere(published: float | None, ours: float | None, form: str = "g") -> str:
    """What was published, where it is shown and is not what this server makes of the published values."""
    if published is None or (ours is not None and f"{published:{form}}" == f"{ours:{form}}"):
        return ""
    return f"published {published:g}"


def decimals(value: float | None, count: int) -> str:
    """A value as its phase shows it."""
    return NONE if value is None else f"{value:.{count}f}"


def numbered(notes: Sequence[str]) -> Mapping[str, int]:
    """Footnotes with their numbers."""
    return {note: at for at, note in enumerate(notes, 1)}
