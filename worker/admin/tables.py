"""Lists for any width: a column each where they fit, else a paragraph per row; plain text where nobody looks."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console as AnyConsole
from rich.console import ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluator.terminal import Console, harmless, in_line, say_json

_LEAST_PROSE = 30
_BETWEEN = " · "
_GAP, _INDENT = 2, 2
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LEAST_ID = 8
_COLOURS = {
    **dict.fromkeys(("present", "scored", "in time", "ok", "active"), "green"),
    **dict.fromkeys(
        ("unfit", "rejected", "token revoked", "token replaced", "after the phase closes", "error"), "red"
    ),
    **dict.fromkeys(
        ("draining", "drained", "being examined", "gone", "cancelled", "warning", "staged"), "yellow"
    ),
    "errored": "magenta",
    "running": "cyan",
}
"""Words that are coloured where they are a whole cell."""


@dataclass
class Listing:
    """Rows under heads; the first column names the row. A column that is empty in every row is left out.

    Cells are plain text. `numbers` are the heads whose cells stand to the right, `prose` those whose cells may wrap.
    Where rows do not fit, ids are shortened to what tells them apart, as commands take them, but for those under
    `whole`. Where a row does not fit all the same, each becomes its first cell and, below it, what else it has with
    the heads before it.
    """

    heads: Sequence[str]
    numbers: frozenset[str] = frozenset()
    prose: frozenset[str] = frozenset()
    title: str = ""
    whole: frozenset[str] = frozenset()
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """One more row."""
        if len(cells) != len(self.heads):
            raise ValueError(f"{len(cells)} cells under {len(self.heads)} heads")
        self.rows.append(cells)

    def __rich_console__(self, console: AnyConsole, options: ConsoleOptions) -> RenderResult:
        """What rich prints."""
        shown = [at for at, _ in enumerate(self.heads) if any(row[at] for row in self.rows)]
        if self.title:
            yield Text(self.title)
        if not shown:
            return
        for listing in (self, self._shortened()):
            if listing._width(shown) <= options.max_width:
                yield listing._table(shown)
                return
        yield from self._paragraphs(shown, options.max_width)

    def _shortened(self) -> "Listing":
        """The same with ids as short as they may be, column by column."""
        columns = [
            column if head in self.whole else _told_apart(column)
            for head, column in zip(self.heads, zip(*self.rows, strict=True), strict=True)
        ]
        return replace(self, rows=list(zip(*columns, strict=True)))

    def _width(self, shown: Sequence[int]) -> int:
        """Columns of the terminal that the table needs."""
        needed = 0
        for at in shown:
            cells = max(_length(row[at]) for row in self.rows)
            if self.heads[at] in self.prose:
                cells = min(cells, _LEAST_PROSE)
            needed += max(cells, len(self.heads[at])) + _GAP
        return needed - _GAP

    def _table(self, shown: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False, show_header=any(self.heads[at].strip() for at in shown))
        for at in shown:
            head = self.heads[at]
            right = head in self.numbers
            wraps = head in self.prose
            table.add_column(
                head,
                no_wrap=not wraps,
                overflow="fold" if wraps else "ellipsis",
                justify="right" if right else "left",
            )
        for row in self.rows:
            table.add_row(*(self._cell(row, at) for at in shown))
        return table

    def _cell(self, row: Sequence[str], at: int) -> Text:
        """One cell; only prose may have lines, for a name with a line break would look like a row of its own."""
        text = row[at]
        shown = harmless(text) if self.heads[at] in self.prose else in_line(text)
        return Text(shown, style=_COLOURS.get(text, ""))

    def _paragraphs(self, shown: Sequence[int], width: int) -> Iterator[Text | Padding]:
        for row in self.rows:
            yield Text(in_line(row[shown[0]]), style="bold", overflow="fold")
            line = Text()
            for at in shown[1:]:
                if not row[at]:
                    continue
                part = Text(f"{self.heads[at]} " if self.heads[at] else "", style="dim")
                part.append_text(self._cell(row, at))
                if line and len(line) + len(_BETWEEN) + len(part) > width - _INDENT:
                    yield Padding(line, (0, 0, 0, _INDENT), expand=False)
                    line = Text()
                line = Text(_BETWEEN).join([line, part]) if line else part
            yield Padding(line, (0, 0, 0, _INDENT), expand=False)


def _told_apart(column: Sequence[str]) -> Sequence[str]:
    """Ids without what none needs to differ from the others; other columns as they are."""
    ids = {cell for cell in column if cell}
    if not all(_ID.fullmatch(cell) for cell in ids):
        return column
    length = next(
        length for length in range(_LEAST_ID, 37) if len({cell[:length] for cell in ids}) == len(ids)
    )
    return [cell[:length] for cell in column]


def _length(text: str) -> int:
    return max((cell_len(line) for line in text.splitlines()), default=0)


def console() -> Console:
    """Standard output for lists."""
    return Console()


def show(listing: Listing, *, otherwise: str = "") -> None:
    """Prints the rows, or `otherwise` where there are none."""
    console().print(listing if listing.rows or not otherwise else Text(otherwise))


def show_json(content: Any) -> None:
    """Prints JSON for programs."""
    say_json(content)


def moment(at: datetime | None, *, seconds: bool = False) -> str:
    """A time in UTC; empty where there is none."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M{':%S' if seconds else ''}}"


def counted(number: float, one: str, many: str = "") -> str:
    """`1 core`, `1.5 cores`."""
    return f"{number:g} {one if number == 1 else many or one + 's'}"
