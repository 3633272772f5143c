"""The strokes that drawings are made of. Colours come from classes; no mark is told by its colour alone."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from markupsafe import Markup
from markupsafe import escape as _escape

from evaluator.charts._scale import WIDTH, Scale, is_drawn

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
"""Marks of groups, in the order in which groups get them."""
ROW = 22
"""The height of a row."""
_EM = 14.5  # the largest size of text that the style sheet sets, in units of the drawing
_POINT = "h.01"  # a round end makes a dot of it, and some programs draw nothing of a line without any length
_SAID = 12  # rows in a description; the table has the rest
_STRONG = 1.13  # how much wider bold letters are
_NARROW, _BROAD = "fijlrt.,:;'|!()[] ", "mwMW%@"
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escape(words: str) -> Markup:
    """Text as markup, also as XML: what XML cannot hold shows as U+FFFD."""
    return _escape(_UNWRITABLE.sub("\ufffd", words))


def number(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.1f}".removesuffix(".0")


def drawing(title: str, description: str, height: float, body: Iterable[str]) -> Markup:
    """A whole drawing; the text in `body` must be escaped already."""
    return Markup(  # noqa: S704 - all text in it is escaped
        f'<svg class="drawing" viewBox="0 0 {WIDTH} {number(height)}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(body)}</svg>"
    )


def text(x: float, y: float, words: str, style: str) -> str:
    """A line of text, its middle at `y`."""
    return f'<text class="{style}" x="{number(x)}" y="{number(y + 4)}">{escape(words)}</text>'


def width(words: str, *, strong: bool = False) -> float:
    """About how wide a text is at most, in units of the drawing: fonts of pages differ, and this is of a broad one."""
    return _EM * sum(map(_em, words)) * (_STRONG if strong else 1)


def _em(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    if letter in _NARROW:
        return 0.37
    return 0.98 if letter in _BROAD else 0.74 if letter.isupper() else 0.61


def shortened(words: str, most: float, *, strong: bool = False) -> str:
    """A text that is no wider than `most` units, with "…" where it was cut."""
    most = most / _STRONG if strong else most
    if width(words) <= most:
        return words
    room, kept = most - _EM, ""
    for letter in words:
        room -= _EM * _em(letter)
        if room < 0:
            break
        kept += letter
    return f"{kept.rstrip()}…"


def column(labels: Iterable[str], *, most: float = 186, least: float = 40) -> float:
    """How wide a column of labels has to be."""
    return max([least, *(min(width(label), most) for label in labels)]) + 8


def label(words: str, y: float, until: float) -> str:
    """The name of a row, which ends where the axis begins; cut where it is too long, and whole in its tooltip."""
    short = shortened(words, until - 6)
    tip = f"<title>{escape(words)}</title>" if short != words else ""
    return f'<text class="label" x="{number(until - 4)}" y="{number(y + 4)}">{tip}{escape(short)}</text>'


def told(words: str, body: Iterable[str]) -> str:
    """Marks with a tooltip of their own."""
    return f"<g><title>{escape(words)}</title>{''.join(body)}</g>"


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line class="{style}" {ends}/>'


def rect(x: float, y: float, wide: float, high: float, style: str) -> str:
    """A rectangle; one without extent is drawn as a hair."""
    size = f'width="{number(max(wide, 0.5))}" height="{number(max(high, 0.5))}"'
    return f'<rect class="{style}" x="{number(x)}" y="{number(y)}" {size}/>'


def whisker(low: float, high: float, y: float, style: str = "whisker") -> str:
    """An interval: a line with an end at both sides."""
    path = f"M{number(low)} {number(y)}H{number(high)}M{number(low)} {number(y - 4)}v8M{number(high)} {number(y - 4)}v8"
    return f'<path class="{style}" d="{path}"/>'


def shape(kind: str, x: float, y: float, style: str = "mark") -> str:
    """One mark of about 8 units across."""
    match kind:
        case "square":
            body = f'<rect x="{number(x - 3.5)}" y="{number(y - 3.5)}" width="7" height="7"'
        case "triangle":
            body = f'<path d="M{number(x)} {number(y - 4.5)}l4.5 8h-9z"'
        case "down":
            body = f'<path d="M{number(x)} {number(y + 4.5)}l4.5 -8h-9z"'
        case "diamond":
            body = f'<path d="M{number(x)} {number(y - 5)}l4.5 5l-4.5 5l-4.5 -5z"'
        case "cross":
            body = f'<path d="M{number(x - 4)} {number(y - 4)}l8 8m0 -8l-8 8" stroke-width="2.5"'
        case "ring":
            body = f'<circle cx="{number(x)}" cy="{number(y)}" r="4" stroke-width="2" fill-opacity="0"'
        case _:
            body = f'<circle cx="{number(x)}" cy="{number(y)}" r="4"'
    return f'{body} class="{style}"/>'


def series(one: int, x: float, y: float) -> str:
    """The mark of a group or team by its number."""
    return shape(SHAPES[one % len(SHAPES)], x, y, f"series{one % len(SHAPES) + 1}")


def mark(one: int) -> Markup:
    """The mark of a group by its number, as a drawing of its own for a legend."""
    return Markup(  # noqa: S704 - numbers alone
        f'<svg class="drawing" viewBox="0 0 12 12" aria-hidden="true">{series(one, 6, 6)}</svg>'
    )


def dots(points: Iterable[tuple[float, float]], style: str, stroke: str = _POINT) -> str:
    """Many small marks as one path; `stroke` is the path of one of them."""
    return f'<path class="{style}" d="{"".join(f"M{number(x)} {number(y)}{stroke}" for x, y in points)}"/>'


def legend(entries: Sequence[tuple[str, str]], left: float, top: float) -> tuple[list[str], float]:
    """Marks, drawn around the origin, with their words, in lines as they fit; and where the legend ends below."""
    drawn, x, y = [], left, top + 8
    for drawn_mark, words in entries:
        wide = width(words) + 36
        if x > left and x + wide > WIDTH:
            x, y = left, y + 18
        drawn.append(f'<g transform="translate({number(x + 8)} {number(y)})">{drawn_mark}</g>')
        drawn.append(text(x + 20, y, shortened(words, WIDTH - x - 24), "note"))
        x += wide
    return drawn, y + 12


def tick(x: float, y: float, words: str) -> str:
    """What stands below an axis at `x`, moved as far as it takes to lie within the drawing."""
    half = width(words) / 2
    return text(min(max(x, half), WIDTH - half), y, words, "tick")


def more(many: int, drawn: int, what: str, x: float, y: float) -> tuple[list[str], float]:
    """How many rows only the table has, and how much room it takes to say so."""
    if many <= drawn:
        return [], 0
    return [text(x, y + 6, f"{counted(many - drawn, f'more {what}')} in the table alone", "quiet")], 20


def across(scale: Scale, top: float, bottom: float, title: str = "") -> list[str]:
    """The horizontal axis below rows: a line and a number at each tick, and what is measured."""
    drawn = []
    for value in scale.ticks:
        x = scale.at(value)
        drawn += [line(x, top, x, bottom, "grid"), tick(x, bottom + 12, f"{value:.6g}")]
    if title:
        most = WIDTH - 16
        words = shortened(title, most)
        drawn.append(tick((scale.start + scale.end) / 2, bottom + 29, words))
    return drawn


def below(title: str = "") -> float:
    """How much room `across` needs below its rows."""
    return 40 if title else 24


def shown(values: Iterable[float | None]) -> list[float]:
    """The values that get a mark."""
    return [value for value in values if value is not None and is_drawn(value)]


def figure(value: float | None, digits: int = 4) -> str:
    """A value in words."""
    if value is None or value != value:
        return "no value"
    return f"{value:.{digits}g}".replace("-", "−")


def listed(sentences: Sequence[str], nothing: str) -> str:
    """A description of rows: the first ones, and how many there are besides; `nothing` without any."""
    if not sentences:
        return nothing
    others = f"; and {len(sentences) - _SAID:,} more" if len(sentences) > _SAID else ""
    return f"{'; '.join(sentences[:_SAID])}{others}."


def counted(many: int, one: str, several: str = "") -> str:
    """A number with its noun."""
    return f"{many:,} {one if many == 1 else several or f'{one}s'}"
