"""Values within groups of patients, with their sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.charts._marks import (
    SHAPES,
    across,
    below,
    column,
    counted,
    drawing,
    figure,
    label,
    legend,
    line,
    listed,
    more,
    series,
    text,
    told,
    whisker,
)
from evaluator.charts._picture import Picture, Value
from evaluator.charts._scale import Scale, is_drawn

_ROW = 18
_GAP = 14
_MOST = 40  # groups
_SUPPRESSED = "too few cases to show"


@dataclass(frozen=True)
class GroupValue:
    """A team's value within a group.

    suppressed: the group is too small to be shown, and neither its value nor its size is. enough: whether its cases say
    anything.
    """

    group: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    size: int | None = None
    team: str = ""
    suppressed: bool = False
    enough: bool = True


def groups(
    values: Sequence[GroupValue],
    *,
    metric: str,
    higher_is_better: bool,
    unit: str = "",
    level: float = 0.95,
    overall: float | None = None,
    title: str = "",
    name: str = "groups",
) -> Picture:
    """Per group a mark and an interval for each team, in the given order.

    Args:
        values: those of one group stand together.
        metric: what it is called.
        higher_is_better: as the metric says.
        unit: of the values.
        level: of the intervals.
        overall: the value over all cases, drawn as a dashed line.
        title: of the picture.
        name: of its files.
    """
    title = title or f"{metric} by group"
    every = list(dict.fromkeys(one.group for one in values))
    by_group = {group: [one for one in values if one.group == group] for group in every[:_MOST]}
    teams = list(dict.fromkeys(one.team for one in values if not one.suppressed))
    left = column([*by_group, *(_size(one) for members in by_group.values() for one in members)], most=150)
    seen = [
        v for one in values if not one.suppressed for v in (one.value, one.low, one.high) if v is not None
    ]
    scale = Scale.over([*seen, *([] if overall is None else [overall])], start=left + 8)
    body, top = _legend(teams, overall, left)
    rows, bottom = _rows(by_group, teams, scale, left, top)
    axis = f"{metric}{f' in {unit}' if unit else ''}, {'higher' if higher_is_better else 'lower'} is better"
    body += across(scale, top, bottom, axis)
    if is_drawn(overall) and overall is not None:
        body.append(line(scale.at(overall), top, scale.at(overall), bottom, "dashed"))
    rest, room = more(len(every), len(by_group), "group", left, bottom + below(axis))
    description = listed([_sentence(one) for one in values], "No group has a value.")
    few = any(not one.enough for one in values if not one.suppressed)
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            f"A mark is the value within a group, its line the {level:.0%} interval; small groups have long lines, and "
            "a difference between groups whose lines overlap widely may be chance"
            + ("; groups with † have too few cases to say anything." if few else ".")
        ),
        svg=drawing(title, description, bottom + below(axis) + room, [*body, *rows, *rest]),
        header=("Group", *(["Team"] if teams != [""] else []), "Cases", metric, "Low", "High", "Note"),
        values=tuple(_table_row(one, named=teams != [""]) for one in values),
    )


def _legend(teams: Sequence[str], overall: float | None, left: float) -> tuple[list[str], float]:
    entries = [(series(one, 0, 0), team) for one, team in enumerate(teams) if team]
    if overall is not None:
        entries.append((line(0, -6, 0, 6, "dashed"), "all cases"))
    return legend(entries, min(left, 60), 0) if entries else ([], 6)


def _rows(
    by_group: dict[str, list[GroupValue]], teams: Sequence[str], scale: Scale, left: float, top: float
) -> tuple[list[str], float]:
    drawn, y = [], top
    for group, members in by_group.items():
        high = max(len(members) * _ROW, 2 * _ROW)
        first = y + (high + _GAP) / 2
        drawn.append(label(group, first - 7, left))
        drawn.append(text(left - 4, first + 8, _size(members[0]), "small end"))
        start = y + _GAP / 2 + (high - len(members) * _ROW) / 2
        for row, one in enumerate(members):
            which = teams.index(one.team) if one.team in teams else 0
            drawn.append(told(_sentence(one), _marks(one, which, start + (row + 0.5) * _ROW, scale)))
        y += high + _GAP
    return drawn, y


def _marks(one: GroupValue, which: int, y: float, scale: Scale) -> list[str]:
    if one.suppressed:
        return [text(scale.start, y, _SUPPRESSED, "quiet")]
    if one.value is None or one.value != one.value:
        return [text(scale.start, y, "no value", "quiet")]
    if not is_drawn(one.value):
        return [text(scale.start, y, "too large to draw", "quiet")]
    marks = []
    if one.low is not None and one.high is not None and is_drawn(one.low) and is_drawn(one.high):
        low, high = scale.at(one.low), scale.at(one.high)
        marks.append(whisker(low, high, y, f"series{which % len(SHAPES) + 1} line"))
    return [*marks, series(which, scale.at(one.value), y)]


def _size(one: GroupValue) -> str:
    if one.suppressed:
        return "size not shown"
    return "" if one.size is None else f"{counted(one.size, 'case')}{'' if one.enough else ' †'}"


def _sentence(one: GroupValue) -> str:
    who = f"{one.group}{f', {one.team}' if one.team else ''}"
    if one.suppressed:
        return f"{who}: {_SUPPRESSED}"
    size = "" if one.size is None else f", {counted(one.size, 'case')}"
    between = (
        "" if one.low is None or one.high is None else f", {figure(one.low, 3)} to {figure(one.high, 3)}"
    )
    return f"{who}: {figure(one.value, 3)}{between}{size}"


def _table_row(one: GroupValue, *, named: bool) -> tuple[Value, ...]:
    who: tuple[Value, ...] = (one.group, one.team) if named else (one.group,)
    if one.suppressed:
        return (*who, None, None, None, None, _SUPPRESSED)
    note = "" if one.enough else "too few cases to say anything"
    return (*who, one.size, one.value, one.low, one.high, note)
