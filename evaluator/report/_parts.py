"""What sections are made of, as data: the templates write it, and escape all of its text."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluator.charts import standalone
from evaluator.spec import Board


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, a smaller line below it, and its class."""

    text: str
    small: str = ""
    style: str = ""
    strong: bool = False


@dataclass(frozen=True)
class HtmlTable:
    """A table whose first column names its rows; it scrolls alone where it is wider than the page.

    caption: what it shows. kind: its class. styles: the class of each row, if any.
    """

    head: Sequence[str | Cell]
    rows: Sequence[Sequence[str | Cell]]
    caption: str
    kind: str = ""
    styles: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """A plot with its caption: a bold title and a note; `marks` are the names of the groups that it tells apart."""

    svg: Markup
    title: str
    note: str
    marks: Sequence[str] = ()

    def svg_file(self) -> str:
        """The plot as an SVG document of its own, as `evaluator.charts.Picture.svg_file`."""
        return standalone(self.svg, f"{self.title}. {self.note}")


@dataclass(frozen=True)
class Remark:
    """A sentence, and what it is said of."""

    where: str
    sentence: str


def title_of(board: Board, key: str) -> str:
    """A metric's name for people."""
    return board.metrics[key].title or key
