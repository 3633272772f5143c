"""The values of single cases, team by team."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.charts._marks import (
    across,
    below,
    column,
    counted,
    dots,
    drawing,
    figure,
    label,
    legend,
    line,
    listed,
    more,
    rect,
    shape,
    shown,
    text,
    told,
)
from evaluator.charts._picture import Picture, Value
from evaluator.charts._rank_sets import MOST_TEAMS
from evaluator.charts._scale import Scale, is_drawn

Numbers = npt.NDArray[np.float64]

_ROW = 32
_DOTS = 6000  # in all rows
_MOST = 250  # of a row
_CROSS = "m-2.4 -2.4l4.8 4.8m0 -4.8l-4.8 4.8"


@dataclass(frozen=True)
class CaseValues:
    """A team with its value in each case; None where a case has none."""

    team: str
    values: Sequence[float | None]


def distribution(
    teams: Sequence[CaseValues],
    *,
    metric: str,
    higher_is_better: bool,
    unit: str = "",
    title: str = "",
    name: str = "distribution",
) -> Picture:
    """Per team a dot per case, quartiles as a box, median as a line, mean as a diamond, the worst tenth as crosses."""
    title = title or f"{metric} of single cases"
    drawn = teams[:MOST_TEAMS]
    left = column(team.team for team in drawn)
    scale = Scale.over([v for team in drawn for v in team.values if v is not None], start=left + 8)
    body, top = _legend()
    bottom = top + len(drawn) * _ROW
    axis = f"{metric}{f' in {unit}' if unit else ''}, {'higher' if higher_is_better else 'lower'} is better"
    body += across(scale, top, bottom, axis)
    most = min(_MOST, max(20, _DOTS // max(len(drawn), 1)))
    for row, team in enumerate(drawn):
        y = top + (row + 0.5) * _ROW
        body.append(label(team.team, y, left))
        body.append(told(_sentence(team, higher_is_better), _row(team, y, scale, most, higher_is_better)))
    height = bottom + below(axis)
    rest, room = more(len(teams), len(drawn), "team", left, height)
    description = listed([_sentence(team, higher_is_better) for team in teams], "No team has a value.")
    some = f"; of many cases {most} are drawn" if any(len(team.values) > most for team in drawn) else ""
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            "Each dot is a case; half of a team's cases lie in its box, the line in it is the median, the diamond is "
            f"the mean, and the crosses are its worst tenth of cases{some}."
        ),
        svg=drawing(title, description, height + room, [*body, *rest]),
        header=(
            "Team",
            "Cases",
            "Mean",
            "Median",
            "Quarter below",
            "Quarter above",
            "Mean of the worst tenth",
            "No value",
        ),
        values=tuple(_table_row(team, higher_is_better) for team in teams),
    )


def _legend() -> tuple[list[str], float]:
    return legend(
        [
            (dots([(0, 0)], "points"), "case"),
            (rect(-6, -5, 12, 10, "box") + line(0, -5, 0, 5, "median"), "quartiles, median"),
            (shape("diamond", 0, 0), "mean"),
            (dots([(0, 0)], "worst", _CROSS), "worst tenth"),
        ],
        8,
        0,
    )


def _row(team: CaseValues, y: float, scale: Scale, most: int, higher_is_better: bool) -> list[str]:
    known = shown(team.values)
    if not known:
        beyond = any(value is not None and not is_drawn(value) and value == value for value in team.values)
        return [text(scale.start, y, "too large to draw" if beyond else "no value", "quiet")]
    ordered = _worst_first(known, higher_is_better)
    chosen = np.linspace(0, len(ordered) - 1, min(len(ordered), most)).astype(int)
    points = [
        (scale.at(float(ordered[one])), y + (place * 7 % 13 - 6) * 1.5)
        for place, one in enumerate(chosen.tolist())
    ]
    worst = int((chosen < _tenth(len(ordered))).sum())
    low, middle, high = (scale.at(float(np.quantile(ordered, q))) for q in (0.25, 0.5, 0.75))
    return [
        dots(points[worst:], "points"),
        dots(points[:worst], "worst", _CROSS),
        rect(low, y - 8, max(high - low, 1), 16, "box"),
        line(middle, y - 8, middle, y + 8, "median"),
        shape("diamond", scale.at(float(ordered.mean())), y),
    ]


def _worst_first(known: Sequence[float], higher_is_better: bool) -> Numbers:
    ordered = np.sort(np.asarray(known, dtype=np.float64))
    return ordered if higher_is_better else ordered[::-1]


def _tenth(cases: int) -> int:
    """How many cases are the worst tenth; at least one."""
    return -(-cases // 10)


def _table_row(team: CaseValues, higher_is_better: bool) -> tuple[Value, ...]:
    known = shown(team.values)
    missing = len(team.values) - len(known)
    if not known:
        return team.team, len(team.values), None, None, None, None, None, missing
    ordered = _worst_first(known, higher_is_better)
    low, middle, high = (float(np.quantile(ordered, q)) for q in (0.25, 0.5, 0.75))
    worst = float(ordered[: _tenth(len(ordered))].mean())
    return team.team, len(team.values), float(ordered.mean()), middle, low, high, worst, missing


def _sentence(team: CaseValues, higher_is_better: bool) -> str:
    _, _, mean, middle, low, high, worst, missing = _table_row(team, higher_is_better)
    numbers = [one if isinstance(one, float) else None for one in (mean, middle, low, high, worst)]
    if mean is None:
        return f"{team.team}: no value that can be drawn"
    without = f", {missing} without a value that can be drawn" if missing else ""
    said = [figure(one, 3) for one in numbers]
    return (
        f"{team.team}: {counted(len(team.values), 'case')}, mean {said[0]}, median {said[1]}, quartiles {said[2]} to "
        f"{said[3]}, worst tenth {said[4]}{without}"
    )
