"""What of a board is shown, as the address of its page says: everything that can be chosen is state of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BaseModel, StringConstraints

MOST_COMPARED = 5
"""Teams beside each other."""
ROWS = 100
"""Teams on a page, unless another number is asked for."""

_Word = Annotated[str, StringConstraints(max_length=100)]
_Words = Annotated[list[_Word], Query(max_length=60)]


class BoardQuery(BaseModel):
    """What the address of a board's page asks for. What it names and nobody has is left aside, but for the track."""

    track: _Word = ""
    sort: _Word = "place"
    filter: _Word = ""
    columns: _Words = []
    compare: _Words = []
    open: _Word = ""
    per: Annotated[int, Query(ge=10, le=500)] = ROWS
    page: Annotated[int, Query(ge=1, le=10_000)] = 1


@dataclass(frozen=True)
class View:
    """What is chosen of a track's board.

    path: of the page. sort: a column's key, `descending` or not. columns: which are shown; empty: all. compared: teams
    that stay on top. opened: the team of which everything is shown; the page is the one that it is on.
    """

    path: str
    track: str
    sort: str = "place"
    descending: bool = False
    text: str = ""
    columns: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    opened: str = ""
    per: int = ROWS
    page: int = 1

    @classmethod
    def of(cls, path: str, track: str, asked: BoardQuery) -> "View":
        """From what the address asks for."""
        return cls(
            path=path,
            track=track,
            sort=asked.sort.removeprefix("-") or "place",
            descending=asked.sort.startswith("-"),
            text=asked.filter.strip(),
            columns=tuple(dict.fromkeys(asked.columns)),
            compared=tuple(dict.fromkeys(asked.compare))[:MOST_COMPARED],
            opened=asked.open,
            per=asked.per,
            page=asked.page,
        )

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The fields of the address, without what is as usual."""
        yield "track", self.track
        if self.sort != "place" or self.descending:
            yield "sort", ("-" if self.descending else "") + self.sort
        if self.text:
            yield "filter", self.text
        yield from (("columns", one) for one in self.columns)
        yield from (("compare", one) for one in self.compared)
        if self.opened:
            yield "open", self.opened
        if self.per != ROWS:
            yield "per", str(self.per)
        if self.page != 1:
            yield "page", str(self.page)

    def link(self, path: str = "", **changes: object) -> str:
        """The address with something else chosen, from its first page unless `page` says which."""
        return f"{path}?{urlencode([*replace(self, **{'page': 1, **changes}).pairs()])}"  # type: ignore[arg-type]

    def sorted_by(self, key: str) -> str | None:
        """How the table is sorted by a column, as `aria-sort` says it; None where it is not."""
        if self.sort != key:
            return None
        return "descending" if self.descending else "ascending"

    def sort_link(self, key: str, *, higher_is_better: bool = False) -> str:
        """Sorts by a column, the best first; by the one that sorts already the other way round."""
        descending = not self.descending if self.sort == key else higher_is_better
        return self.link(sort=key, descending=descending)
