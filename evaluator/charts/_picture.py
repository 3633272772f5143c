"""A drawing with all that belongs to it, and how pages, reports, papers and spreadsheets get it."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from evaluator.charts._marks import escape

Value = str | float | int | None
"""A cell of a table twin: numbers as they are, which `Picture.csv` writes at full precision."""

Twin = Literal["folded", "open", "beside"]

STYLES = (Path(__file__).parent / "pictures.css").read_text(encoding="utf-8")
"""The style sheet of pictures, for pages and the report; a page that has tokens of these names gives the colours."""

_COMMENTS = re.compile(r"/\*.*?\*/", re.DOTALL)
_TOKEN = re.compile(r"(--[a-z0-9-]+): ([^;]+);")
_RULE = re.compile(r"^(\.drawing\b[^{]*)\{([^}]*)\}", re.MULTILINE)
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_FILE_WIDTH = 720


@dataclass(frozen=True)
class Picture:
    """A drawing, what it shows, how to read it, and the same as a table. Templates write it as `{{ picture }}`.

    name: of its files, without an ending. title: what is drawn. description: what is to be seen, for who does not see
    it. reading: one sentence that says how to read it. svg: markup, its text escaped. header, values: the table
    twin; its first column names the rows. It holds every row, also those that are too many to draw.
    """

    name: str
    title: str
    description: str
    reading: str
    svg: Markup
    header: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The table twin for people: four digits that count, "–" where there is no value."""
        return tuple(tuple(map(in_words, row)) for row in self.values)

    def __html__(self) -> str:
        return self.figure()

    def figure(self, links: Sequence[tuple[str, str]] = (), *, table: Twin = "folded") -> Markup:
        """The picture on a page: caption, drawing, and the table twin.

        Args:
            links: words and addresses of its files, if they can be had.
            table: whether the twin is folded or seen at once; "beside" where the page has the same table itself.
        """
        twin = ""
        if table != "beside":
            opened = " open" if table == "open" else ""
            twin = f"<details{opened}><summary>As a table</summary>{self._table()}</details>"
        files = " ".join(f'<a href="{escape(address)}">{escape(words)}</a>' for words, address in links)
        below = f'<p class="files">{files}</p>' if files else ""
        return Markup(  # noqa: S704 - all text in it is escaped
            f'<figure class="picture"><figcaption><b>{escape(self.title)}</b> {escape(self.reading)}</figcaption>'
            f"{self.svg}{twin}{below}</figure>"
        )

    def _table(self) -> str:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.header)
        rows = "".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        return (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(self.title)}, as a table">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def csv(self) -> str:
        """The table twin, with a head; numbers at full precision, nothing where there is no value."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows([_exact(cell) for cell in row] for row in self.values)
        return out.getvalue()

    def svg_file(self) -> str:
        """The drawing as an SVG document for a paper: with its size, in light colours on white, and loading nothing."""
        return standalone(self.svg, f"{self.title}. {self.reading}")


def standalone(svg: str, said: str) -> str:
    """A drawing of this package as an SVG document of its own; `said` goes into its metadata."""
    found = _SIZE.search(svg)
    wide, high = (float(size) for size in found.groups()) if found else (1.0, 1.0)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_FILE_WIDTH}" height="{_FILE_WIDTH * high / wide:.0f}" '
    head, tail = str(svg).split(">", 1)
    style = f"<style>.drawing{{background:#fff;font-family:sans-serif}}{_resolved()}</style>"
    return (
        f"{head.replace('<svg ', opening, 1)}>{style}<metadata>{escape(said)}</metadata>"
        f'<rect class="sheet" width="100%" height="100%"/>{tail}\n'
    )


def _resolved() -> str:
    """The rules of drawings with the light colours in place of their tokens, which not every program knows."""
    light = dict(reversed(_TOKEN.findall(STYLES)))  # the first of a name is that of light
    rules = "".join(
        f"{where.strip()}{{{what.strip()}}}" for where, what in _RULE.findall(_COMMENTS.sub("", STYLES))
    )
    for name, colour in light.items():
        rules = rules.replace(f"var({name})", colour)
    return rules


def in_words(cell: Value) -> str:
    """A cell for people: four digits that count, "–" where there is no value."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "–"
    if isinstance(cell, float):
        return f"{cell:.4g}".replace("-", "−")
    return f"{cell:,}" if isinstance(cell, int) else cell


def _exact(cell: Value) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return repr(cell) if isinstance(cell, float) else str(cell)
