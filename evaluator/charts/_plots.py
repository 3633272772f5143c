"""Plots of rows on one axis, without a table of their own: the report has its tables beside them.

What is returned is markup, which a template does not escape again; the text in it is escaped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from evaluator.charts._marks import (
    ROW,
    across,
    below,
    column,
    drawing,
    label,
    line,
    number,
    rect,
    series,
    shape,
    shown,
    text,
    whisker,
)
from evaluator.charts._scale import LABELS, Scale, is_drawn

_TOP = 8
MOST_DOTS = 250
"""Of a row: of more cases as many are drawn, evenly over their order."""


@dataclass(frozen=True)
class PlotRow:
    """One row of an interval plot; without an interval only the dot is drawn, without a value nothing is."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    hollow: bool = False


def interval_plot(title: str, rows: Sequence[PlotRow], *, whole: bool = False) -> Markup:
    """A dot and a whisker per row."""
    left = _left(row.label for row in rows)
    values = [v for row in rows for v in (row.value, row.low, row.high) if v is not None]
    scale = Scale.over(values, whole=whole, start=left + 8)
    drawn = []
    for place, row in enumerate(rows):
        y = _middle(place)
        drawn.append(label(row.label, y, left))
        if row.low is not None and row.high is not None and is_drawn(row.low) and is_drawn(row.high):
            drawn.append(whisker(scale.at(row.low), scale.at(row.high), y))
        if row.value is None:
            drawn.append(text(left + 8, y, "not scored", "quiet"))
        elif not is_drawn(row.value):
            drawn.append(_beyond(left, y))
        else:
            drawn.append(shape("circle", scale.at(row.value), y, "mark hollow" if row.hollow else "mark"))
    return _plot(title, _told(rows), drawn, scale, len(rows))


def box_plot(title: str, rows: Sequence[tuple[str, Sequence[float]]]) -> Markup:
    """Per row the values as faint dots, the quartiles as a box, the median as a line and the mean as a diamond."""
    left = _left(name for name, _ in rows)
    scale = Scale.over([value for _, values in rows for value in values], start=left + 8)
    drawn = []
    for place, (name, values) in enumerate(rows):
        y = _middle(place)
        drawn.append(label(name, y, left))
        known = shown(values)
        if known:
            drawn += _box(np.asarray(known, dtype=np.float64), y, scale)
        elif values:
            drawn.append(_beyond(left, y))
    said = "; ".join(_told_box(name, values) for name, values in rows if values)
    return _plot(title, said, drawn, scale, len(rows))


def _told_box(name: str, values: Sequence[float]) -> str:
    known = shown(values)
    beyond = f"{len(values) - len(known)} beyond the axis" if len(known) < len(values) else ""
    if not known:
        return f"{name}: {beyond}"
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    told = f"{name}: median {middle:.3g}, quartiles {low:.3g} to {high:.3g}"
    return f"{told}, {beyond}" if beyond else told


def _box(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], y: float, scale: Scale) -> list[str]:
    ordered = np.sort(values)
    chosen = ordered[np.linspace(0, len(ordered) - 1, min(len(ordered), MOST_DOTS)).astype(int)]
    dots = "".join(
        f'<circle cx="{number(scale.at(value))}" cy="{number(y + (place * 7 % 11 - 5) * 0.9)}" r="1.6"/>'
        for place, value in enumerate(chosen.tolist())
    )
    low, middle, high = (scale.at(float(np.quantile(values, q))) for q in (0.25, 0.5, 0.75))
    return [
        f'<g class="dots">{dots}</g>',
        rect(low, y - 7, max(high - low, 1), 14, "box"),
        line(middle, y - 7, middle, y + 7, "median"),
        shape("diamond", scale.at(float(values.mean())), y),
    ]


def group_plot(
    title: str, groups: Sequence[str], rows: Sequence[tuple[str, Sequence[float | None]]]
) -> Markup:
    """Per row one mark per group, with a line from the worst group to the best one."""
    left = _left(name for name, _ in rows)
    scale = Scale.over([value for _, values in rows for value in values if value is not None], start=left + 8)
    drawn = []
    for row, (name, values) in enumerate(rows):
        y, known = _middle(row), shown(values)
        drawn.append(label(name, y, left))
        if known:
            drawn.append(line(scale.at(min(known)), y, scale.at(max(known)), y, "span"))
        elif any(value is not None for value in values):
            drawn.append(_beyond(left, y))
        for place, value in enumerate(values):
            if value is not None and is_drawn(value):
                drawn.append(series(place, scale.at(value), y))
    said = "; ".join(
        f"{name}: "
        + ", ".join(
            f"{group} {value:.3f}" if abs(value) < 1e6 else f"{group} {value:.4g}"
            for group, value in zip(groups, values, strict=True)
            if value is not None
        )
        for name, values in rows
    )
    return _plot(title, said, drawn, scale, len(rows))


def _plot(title: str, said: str, drawn: Sequence[str], scale: Scale, rows: int) -> Markup:
    bottom = _TOP + rows * ROW
    return drawing(title, said, bottom + below(), [*across(scale, _TOP, bottom), *drawn])


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


def _left(labels: Iterable[str]) -> float:
    return max(LABELS - 40, column(labels))


def _beyond(left: float, y: float) -> str:
    return text(left + 8, y, "too large to draw", "quiet")


def _middle(row: int) -> float:
    return _TOP + (row + 0.5) * ROW
