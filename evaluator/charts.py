"""Small plots as inline SVG. Colours come from the page's style sheet, so they follow light, dark and paper.

Every mark that a colour tells apart has a shape or a text of its own as well. What is returned is markup, which a
template does not escape again; the text in it is escaped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

WIDTH = 400  # of the drawing; the page scales it to its column
_LABELS = 116
_RIGHT = 12
_ROW = 22
_TOP = 8
_AXIS = 24
_LETTERS = 16  # of a label
MOST_DOTS = 250
"""Of a row: of more cases as many are drawn, evenly over their order."""
_LARGEST = 1e100  # a value beyond says nothing about the others, and sums of such values overflow
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
"""Marks of groups, in the order in which groups get them."""


@dataclass(frozen=True)
class PlotRow:
    """One row of an interval plot; without an interval only the dot is drawn, without a value nothing is."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    hollow: bool = False


@dataclass(frozen=True)
class Scale:
    """Maps values to the horizontal axis."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float], *, whole: bool = False) -> "Scale":
        """A scale with round ticks that holds all values that are drawn; of whole numbers only if asked for."""
        drawn = [value for value in values if is_drawn(value)]
        low, high = min(drawn, default=0.0), max(drawn, default=1.0)
        least = max(1e-12, max(abs(low), abs(high)) * 1e-12)  # below, ticks would not be told apart
        if high - low < least:
            pad = max(0.5, abs(high) * 1e-6)
            low, high = low - pad, high + pad
        step = _round_step((high - low) / 4)
        step = max(1.0, math.ceil(step)) if whole else step
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        ticks = tuple(number * step for number in range(first, last + 1))
        return cls(min(ticks[0], low), max(ticks[-1], high), ticks)

    def at(self, value: float) -> float:
        """Horizontal position of a value."""
        share = (value - self.low) / (self.high - self.low)
        return _LABELS + 8 + share * (WIDTH - _LABELS - _RIGHT - 16)


def is_drawn(value: float) -> bool:
    """Whether a value gets a mark; one that is not finite or beyond 1e100 is told in words."""
    return abs(value) <= _LARGEST


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10, 20) if factor * power >= least * 0.999)


def interval_plot(title: str, rows: Sequence[PlotRow], *, whole: bool = False) -> Markup:
    """A dot and a whisker per row."""
    values = [v for row in rows for v in (row.value, row.low, row.high) if v is not None]
    scale = Scale.over(values, whole=whole)
    drawn = []
    for number, row in enumerate(rows):
        y = _middle(number)
        drawn.append(_label(row.label, y))
        if row.low is not None and row.high is not None and is_drawn(row.low) and is_drawn(row.high):
            drawn.append(_whisker(scale.at(row.low), scale.at(row.high), y))
        if row.value is None:
            drawn.append(_text(_LABELS + 8, y, "not scored", "quiet"))
        elif not is_drawn(row.value):
            drawn.append(_beyond(y))
        else:
            kind = "mark hollow" if row.hollow else "mark"
            drawn.append(f'<circle class="{kind}" cx="{_n(scale.at(row.value))}" cy="{_n(y)}" r="4"/>')
    return _figure(title, _told(rows), drawn, scale, len(rows))


def box_plot(title: str, rows: Sequence[tuple[str, Sequence[float]]]) -> Markup:
    """Per row the values as faint dots, the quartiles as a box, the median as a line and the mean as a diamond."""
    scale = Scale.over([value for _, values in rows for value in values])
    drawn = []
    for number, (label, values) in enumerate(rows):
        y = _middle(number)
        drawn.append(_label(label, y))
        shown = [value for value in values if is_drawn(value)]
        if shown:
            drawn += _box(np.asarray(shown, dtype=np.float64), y, scale)
        elif values:
            drawn.append(_beyond(y))
    said = "; ".join(_told_box(label, values) for label, values in rows if values)
    return _figure(title, said, drawn, scale, len(rows))


def _told_box(label: str, values: Sequence[float]) -> str:
    shown = [value for value in values if is_drawn(value)]
    beyond = f"{len(values) - len(shown)} beyond the axis" if len(shown) < len(values) else ""
    if not shown:
        return f"{label}: {beyond}"
    low, middle, high = np.quantile(shown, [0.25, 0.5, 0.75])
    told = f"{label}: median {middle:.3g}, quartiles {low:.3g} to {high:.3g}"
    return f"{told}, {beyond}" if beyond else told


def _box(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], y: float, scale: Scale) -> list[str]:
    ordered = np.sort(values)
    shown = ordered[np.linspace(0, len(ordered) - 1, min(len(ordered), MOST_DOTS)).astype(int)]
    dots = "".join(
        f'<circle cx="{_n(scale.at(value))}" cy="{_n(y + (number * 7 % 11 - 5) * 0.9)}" r="1.6"/>'
        for number, value in enumerate(shown.tolist())
    )
    low, middle, high = (scale.at(float(np.quantile(values, q))) for q in (0.25, 0.5, 0.75))
    box = f'<rect class="box" x="{_n(low)}" y="{_n(y - 7)}" width="{_n(max(high - low, 1))}" height="14"/>'
    line = f'<line class="median" x1="{_n(middle)}" x2="{_n(middle)}" y1="{_n(y - 7)}" y2="{_n(y + 7)}"/>'
    return [f'<g class="dots">{dots}</g>', box, line, _shape("diamond", scale.at(float(values.mean())), y)]


def group_plot(
    title: str, groups: Sequence[str], rows: Sequence[tuple[str, Sequence[float | None]]]
) -> Markup:
    """Per row one mark per group, with a line from the worst group to the best one."""
    scale = Scale.over([value for _, values in rows for value in values if value is not None])
    drawn = []
    for row, (label, values) in enumerate(rows):
        y, known = _middle(row), [value for value in values if value is not None and is_drawn(value)]
        drawn.append(_label(label, y))
        if known:
            drawn.append(f'<line class="span" {_line(scale.at(min(known)), scale.at(max(known)), y)}/>')
        elif any(value is not None for value in values):
            drawn.append(_beyond(y))
        for number, value in enumerate(values):
            if value is not None and is_drawn(value):
                drawn.append(_group(number, scale.at(value), y))
    said = "; ".join(
        f"{label}: "
        + ", ".join(
            f"{group} {value:.3f}" if abs(value) < 1e6 else f"{group} {value:.4g}"
            for group, value in zip(groups, values, strict=True)
            if value is not None
        )
        for label, values in rows
    )
    return _figure(title, said, drawn, scale, len(rows))


def mark(number: int) -> Markup:
    """The mark of a group by its number, as a drawing of its own for a legend."""
    return Markup(f'<svg viewBox="0 0 12 12" aria-hidden="true">{_group(number, 6, 6)}</svg>')  # noqa: S704 - numbers


def _group(number: int, x: float, y: float) -> str:
    return _shape(SHAPES[number % len(SHAPES)], x, y, f"group{number % len(SHAPES)}")


def _shape(kind: str, x: float, y: float, style: str = "mark") -> str:
    """One mark of about 8 units across."""
    match kind:
        case "square":
            body = f'<rect x="{_n(x - 3.5)}" y="{_n(y - 3.5)}" width="7" height="7"'
        case "triangle":
            body = f'<path d="M{_n(x)} {_n(y - 4.5)}l4.5 8h-9z"'
        case "diamond":
            body = f'<path d="M{_n(x)} {_n(y - 5)}l4.5 5l-4.5 5l-4.5 -5z"'
        case "cross":
            body = f'<path d="M{_n(x - 4)} {_n(y - 4)}l8 8m0 -8l-8 8" stroke-width="2.5"'
        case "ring":
            body = f'<circle cx="{_n(x)}" cy="{_n(y)}" r="4" stroke-width="2" fill-opacity="0"'
        case _:
            body = f'<circle cx="{_n(x)}" cy="{_n(y)}" r="4"'
    return f'{body} class="{style}"/>'


def _figure(title: str, said: str, drawn: Sequence[str], scale: Scale, rows: int) -> Markup:
    height = _TOP + rows * _ROW + _AXIS
    bottom = _TOP + rows * _ROW
    grid = "".join(
        f'<line class="grid" x1="{_n(scale.at(tick))}" x2="{_n(scale.at(tick))}" y1="{_TOP}" y2="{bottom}"/>'
        f'<text class="tick" x="{_n(scale.at(tick))}" y="{bottom + 15}">{tick:.6g}</text>'
        for tick in scale.ticks
    )
    return Markup(  # noqa: S704 - all text in it is escaped
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title><desc>{escape(said)}</desc>{grid}{''.join(drawn)}</svg>"
    )


def _told(rows: Sequence[PlotRow]) -> str:
    parts = []
    for row in rows:
        if row.value is None:
            parts.append(f"{row.label}: not scored")
        elif row.low is None or row.high is None:
            parts.append(f"{row.label}: {row.value:.4g}")
        else:
            parts.append(f"{row.label}: {row.value:.4g}, interval {row.low:.4g} to {row.high:.4g}")
    return "; ".join(parts)


def _beyond(y: float) -> str:
    return _text(_LABELS + 8, y, "too large to draw", "quiet")


def _middle(row: int) -> float:
    return _TOP + (row + 0.5) * _ROW


def _label(text: str, y: float) -> str:
    short = text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"
    return _text(_LABELS, y, short, "label")


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{_n(x)}" y="{_n(y + 4)}">{escape(text)}</text>'


def _whisker(low: float, high: float, y: float) -> str:
    ends = "".join(
        f'<line class="whisker" x1="{_n(x)}" x2="{_n(x)}" y1="{_n(y - 4)}" y2="{_n(y + 4)}"/>'
        for x in (low, high)
    )
    return f'<line class="whisker" {_line(low, high, y)}/>{ends}'


def _line(low: float, high: float, y: float) -> str:
    return f'x1="{_n(low)}" x2="{_n(high)}" y1="{_n(y)}" y2="{_n(y)}"'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
