"""Two teams case by case."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from evaluator.charts._marks import counted, dots, drawing, legend, line, shortened, text, tick
from evaluator.charts._picture import Picture
from evaluator.charts._scale import WIDTH, Scale, is_drawn

_MOST = 1000
_LEFT, _RIGHT = 70, 14
Better = Literal["first", "second", "neither"]
_STROKES = {
    "first": "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0",
    "second": "m0 -3.8l3.8 6.8h-7.6z",
    "neither": "m-3 -3l6 6m0 -6l-6 6",
}
_STYLES = {"first": "series1 faint", "second": "series2 faint", "neither": "series6 line"}


def scatter(
    pairs: Sequence[tuple[float | None, float | None]],
    *,
    first: str,
    second: str,
    metric: str,
    higher_is_better: bool,
    unit: str = "",
    title: str = "",
    name: str = "cases",
) -> Picture:
    """The values of two teams in each case that both have, on axes of one scale with their diagonal.

    The pairs bring no names of cases; the table numbers them as they come.
    """
    title = title or f"{metric} of {first} and {second}, case by case"
    known = [(x, y) for x, y in pairs if x is not None and y is not None and is_drawn(x) and is_drawn(y)]
    sides = [_better(x, y, higher_is_better) for x, y in known]
    wins = {side: sides.count(side) for side in ("first", "second", "neither")}
    entries = [
        (dots([(0, 0)], _STYLES["first"], _STROKES["first"]), f"{first} better: {wins['first']:,}"),
        (dots([(0, 0)], _STYLES["second"], _STROKES["second"]), f"{second} better: {wins['second']:,}"),
        (dots([(0, 0)], _STYLES["neither"], _STROKES["neither"]), f"equal: {wins['neither']:,}"),
    ]
    body, top = legend(entries, 8, 0)
    top += 30
    side = WIDTH - _LEFT - _RIGHT
    values = [value for pair in known for value in pair]
    right = Scale.over(values, start=_LEFT, end=_LEFT + side)
    upward = Scale.over(values, start=top + side, end=top)
    body += _frame(right, upward, [_axis(first, metric, unit), _axis(second, metric, unit)])
    body += _points(known, sides, right, upward)
    if not known:
        body.append(text(_LEFT + side / 2, top + side / 2, "no case has a value of both", "middle quiet"))
    without = len(pairs) - len(known)
    description = _description(first, second, wins, without)
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            f"Each mark is a case: to the right its value for {first}, upwards its value for {second}; on the dashed "
            f"line both are equal, and {first} is better {'below' if higher_is_better else 'above'} it."
        ),
        svg=drawing(title, description, top + side + 44, body),
        header=("Case", first, second, "Difference"),
        values=tuple(
            (place, x, y, None if x is None or y is None else x - y) for place, (x, y) in enumerate(pairs, 1)
        ),
    )


def _better(x: float, y: float, higher_is_better: bool) -> Better:
    if x == y:
        return "neither"
    return "first" if (x > y) == higher_is_better else "second"


def _axis(team: str, metric: str, unit: str) -> str:
    what = f", {metric}{f' in {unit}' if unit else ''}"
    return f"{shortened(team, 250)}{shortened(what, 140)}"


def _frame(right: Scale, upward: Scale, titles: Sequence[str]) -> list[str]:
    """Grid, ticks, the diagonal, and the titles of both axes."""
    drawn = []
    for value in right.ticks:
        x, y = right.at(value), upward.at(value)
        drawn += [line(x, upward.start, x, upward.end, "grid"), line(right.start, y, right.end, y, "grid")]
        drawn += [
            tick(x, upward.start + 13, f"{value:.5g}"),
            text(right.start - 6, y, f"{value:.5g}", "small end"),
        ]
    drawn.append(line(right.start, upward.start, right.end, upward.end, "dashed"))
    drawn.append(tick((right.start + right.end) / 2, upward.start + 32, f"{titles[0]} →"))
    drawn.append(text(8, upward.end - 20, f"↑ {titles[1]}", "small"))
    return drawn


def _points(
    known: Sequence[tuple[float, float]], sides: Sequence[Better], right: Scale, upward: Scale
) -> list[str]:
    chosen = np.linspace(0, len(known) - 1, min(len(known), _MOST)).astype(int).tolist()
    drawn = []
    for side in ("neither", "first", "second"):
        places = [(right.at(known[one][0]), upward.at(known[one][1])) for one in chosen if sides[one] == side]
        if places:
            drawn.append(f'<g data-better="{side}">{dots(places, _STYLES[side], _STROKES[side])}</g>')
    return drawn


def _description(first: str, second: str, wins: dict[str, int], without: int) -> str:
    cases = sum(wins.values())
    missing = (
        f" {counted(without, 'case has', 'cases have')} no value of both that can be drawn."
        if without
        else ""
    )
    return (
        f"Of {counted(cases, 'case')}, {first} is better in {wins['first']:,}, {second} in {wins['second']:,}, and "
        f"{wins['neither']:,} {'is' if wins['neither'] == 1 else 'are'} equal.{missing}"
    )
