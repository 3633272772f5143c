"""A table that is wider than the terminal, as several below one another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console as AnyConsole
from rich.console import ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class FoldedColumn:
    """A heading and a cell for each row. long: prose, which takes several lines where it has to."""

    heading: str | Text
    cells: Sequence[str | Text]
    justify: JustifyMethod = "right"
    long: bool = False


@dataclass(frozen=True)
class Folding:
    """Columns side by side; where these do not fit, in blocks that all begin with the first `keys` of them.

    styles: of the rows, if any.
    """

    columns: Sequence[FoldedColumn]
    keys: int
    title: Text | None = None
    caption: str | None = None
    styles: Sequence[str] = field(default=())

    def __rich_console__(self, console: AnyConsole, options: ConsoleOptions) -> RenderResult:
        """What rich prints."""
        if self.title is not None:
            yield self.title
        for block in self._blocks(console, options):
            yield self._table(block)
        if self.caption is not None:
            yield Text(self.caption, style="dim italic")

    def _blocks(self, console: AnyConsole, options: ConsoleOptions) -> list[list[FoldedColumn]]:
        unbounded = options.update(width=10_000)
        keys, blocks = list(self.columns[: self.keys]), list[list[FoldedColumn]]()
        for column in self.columns[self.keys :]:
            tried = [*(blocks[-1] if blocks else keys), column]
            fits = console.measure(self._table(tried), options=unbounded).maximum <= options.max_width
            if blocks and fits:
                blocks[-1] = tried
            else:
                blocks.append([*keys, column])
        return blocks

    def _table(self, columns: Sequence[FoldedColumn]) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for number, column in enumerate(columns):
            may_wrap = column.long or number < self.keys
            table.add_column(
                column.heading,
                justify=column.justify,
                no_wrap=not may_wrap,
                overflow="fold",
            )
        for number in range(len(columns[0].cells)):
            style = self.styles[number] if self.styles else None
            table.add_row(*(column.cells[number] for column in columns), style=style)
        return table
