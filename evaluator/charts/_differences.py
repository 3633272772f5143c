"""By how much one team is better than another, metric by metric or board by board."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.charts._marks import (
    across,
    below,
    column,
    drawing,
    figure,
    label,
    legend,
    line,
    listed,
    more,
    shape,
    shortened,
    text,
    told,
    whisker,
)
from evaluator.charts._picture import Picture, Value
from evaluator.charts._scale import WIDTH, Scale, is_drawn

_ROW = 36
_MOST = 60
_NUMBERS = 132  # room for the difference in figures


@dataclass(frozen=True)
class TeamsDifference:
    """The value of the first team minus that of the second in a metric or board, with its interval; p as corrected."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True
    unit: str = ""
    p: float | None = None

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def turned(self) -> tuple[float | None, float | None, float | None]:
        """Value, low and high, positive where the first team is better."""
        if self.higher_is_better:
            return self.value, self.low, self.high
        return tuple(None if one is None else -one for one in (self.value, self.high, self.low))  # type: ignore[return-value]


def difference(
    differences: Sequence[TeamsDifference],
    *,
    first: str,
    second: str,
    level: float = 0.95,
    title: str = "",
    name: str = "difference",
) -> Picture:
    """Per row the difference of two teams with its interval, to the right of the zero line where `first` is better.

    Rows of one unit share an axis; else each has a scale of its own, and says its figures.
    """
    title, rows = title or f"{first} against {second}", differences[:_MOST]
    left = column((row.label for row in rows), most=140)
    start, end = left + 8, WIDTH - _NUMBERS
    shared = len({(row.unit, row.higher_is_better) for row in rows}) <= 1
    body, top = legend(
        [
            (shape("diamond", 0, 0), "interval leaves out zero"),
            (shape("circle", 0, 0, "mark hollow"), "holds zero"),
        ],
        8,
        0,
    )
    top += 20
    bottom = top + len(rows) * _ROW
    common = _scale(rows, start, end)
    if shared and rows:
        body += across(common, top, bottom)
    body += _sides(first, second, top, start, end)
    body.append(line(common.at(0), top - 2, common.at(0), bottom + 2, "base"))
    for row, one in enumerate(rows):
        scale = common if shared else _scale([one], start, end)
        body.append(told(_sentence(one, first, second), _row(one, scale, top + (row + 0.5) * _ROW, left)))
    height = bottom + (below() if shared and rows else 10)
    rest, room = more(len(differences), len(rows), "row", left, height)
    description = listed([_sentence(one, first, second) for one in differences], "Nothing was compared.")
    own = "" if shared else "; each row has a scale of its own, and its figures are beside it"
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            f"Right of the vertical line {first} is better, left of it {second}; a line is the {level:.0%} interval "
            f"of the difference, and where it crosses the vertical line the two are not told apart{own}."
        ),
        svg=drawing(title, description, height + room, [*body, *rest]),
        header=("What", f"{first} minus {second}", "Low", "High", "Unit", "Better", "p, corrected"),
        values=tuple(_table_row(one, first, second) for one in differences),
    )


def _scale(rows: Sequence[TeamsDifference], start: float, end: float) -> Scale:
    """A scale with zero in its middle."""
    seen = [abs(one) for row in rows for one in row.turned() if one is not None and is_drawn(one)]
    most = max(seen, default=0.0) or 1.0
    return Scale.over([-most, most], start=start, end=end)


def _sides(first: str, second: str, top: float, start: float, end: float) -> list[str]:
    middle, room = (start + end) / 2, (end - start) / 2
    left, right = shortened(second, room + 60), shortened(first, room + 60)
    return [
        text(middle - 8, top - 10, f"← {left} better", "end small"),
        text(middle + 8, top - 10, f"{right} better →", "small"),
    ]


def _row(one: TeamsDifference, scale: Scale, y: float, left: float) -> list[str]:
    value, low, high = one.turned()
    drawn = [label(one.label, y, left)]
    if value is None or not is_drawn(value):
        missing = value is None or value != value
        return [*drawn, text(scale.end + 10, y, "no value" if missing else "too large to draw", "quiet")]
    if low is not None and high is not None and is_drawn(low) and is_drawn(high):
        drawn.append(whisker(scale.at(low), scale.at(high), y))
        drawn.append(text(scale.end + 10, y + 8, f"{figure(low, 3)} to {figure(high, 3)}", "small"))
    said = f"{'+' if value > 0 else ''}{figure(value, 3)}{f' {one.unit}' if one.unit else ''}"
    drawn.append(text(scale.end + 10, y - 7, said, "strong" if one.sure else "start"))
    kind, style = ("diamond", "mark") if one.sure else ("circle", "mark hollow")
    return [*drawn, shape(kind, scale.at(value), y, style)]


def _better(one: TeamsDifference, first: str, second: str) -> str:
    value = one.turned()[0]
    if value is None or value != value:
        return ""
    if not one.sure:
        return "not told apart"
    return first if value > 0 else second


def _sentence(one: TeamsDifference, first: str, second: str) -> str:
    value, low, high = one.turned()
    if value is None or value != value:
        return f"{one.label}: no value"
    unit = f" {one.unit}" if one.unit else ""
    between = "" if low is None or high is None else f" ({figure(low, 3)} to {figure(high, 3)})"
    better = _better(one, first, second)
    ending = better if better == "not told apart" else f"{better} is better"
    return f"{one.label}: {figure(value, 3)}{unit}{between}, {ending}"


def _table_row(one: TeamsDifference, first: str, second: str) -> tuple[Value, ...]:
    return (one.label, one.value, one.low, one.high, one.unit, _better(one, first, second), one.p)
