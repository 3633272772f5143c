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


@dataclass(frozen=True)
class TeamSpread:
    """What is told of a team's cases where the value of none is: numbers over those that have a value.

    cases: how many there are. low, high: the quartiles. worst: the mean of the worst tenth. missing: cases without a
    value that can be drawn.
    """

    team: str
    cases: int
    mean: float | None = None
    median: float | None = None
    low: float | None = None
    high: float | None = None
    worst: float | None = None
    missing: int = 0

    @classmethod
    def of(cls, team: CaseValues, *, higher_is_better: bool) -> "TeamSpread":
        """The numbers of a team whose values are known."""
        known = shown(team.values)
        missing = len(team.values) - len(known)
        if not known:
            return cls(team.team, len(team.values), missing=missing)
        ordered = _worst_first(known, higher_is_better)
        low, middle, high = np.quantile(ordered, [0.25, 0.5, 0.75]).tolist()
        worst = float(ordered[: _tenth(len(ordered))].mean())
        return cls(team.team, len(team.values), float(ordered.mean()), middle, low, high, worst, missing)

    @property
    def numbers(self) -> tuple[Value, ...]:
        """A row of the table."""
        return self.team, self.cases, self.mean, self.median, self.low, self.high, self.worst, self.missing

    def sentence(self) -> str:
        """What the picture shows of a team."""
        if self.mean is None:
            return f"{self.team}: no value that can be drawn"
        without = f", {self.missing} without a value that can be drawn" if self.missing else ""
        mean, middle, low, high, worst = (figure(one, 3) for one in self.drawn)
        return (
            f"{self.team}: {counted(self.cases, 'case')}, mean {mean}, median {middle}, quartiles {low} to {high}, "
            f"worst tenth {worst}{without}"
        )

    @property
    def drawn(self) -> tuple[float | None, ...]:
        """What has a place on the axis."""
        return self.mean, self.median, self.low, self.high, self.worst


def distribution(
    teams: Sequence[CaseValues | TeamSpread],
    *,
    metric: str,
    higher_is_better: bool,
    unit: str = "",
    title: str = "",
    name: str = "distribution",
) -> Picture:
    """Per team a dot per case, quartiles as a box, median as a line, mean as a diamond, the worst tenth as crosses.

    Of a team that is given as a `TeamSpread`, one cross is the mean of the worst tenth, and no case is drawn.
    """
    title = title or f"{metric} of single cases"
    better = higher_is_better
    spreads = [
        one if isinstance(one, TeamSpread) else TeamSpread.of(one, higher_is_better=better) for one in teams
    ]
    shown_teams = teams[:MOST_TEAMS]
    left = column(team.team for team in shown_teams)
    scale = Scale.over(_values(shown_teams), start=left + 8)
    with_cases = any(isinstance(team, CaseValues) for team in teams)
    body, top = _legend(with_cases=with_cases)
    bottom = top + len(shown_teams) * _ROW
    axis = f"{metric}{f' in {unit}' if unit else ''}, {'higher' if better else 'lower'} is better"
    body += across(scale, top, bottom, axis)
    most = min(_MOST, max(20, _DOTS // max(len(shown_teams), 1)))
    for row, (team, spread) in enumerate(zip(shown_teams, spreads, strict=False)):
        y = top + (row + 0.5) * _ROW
        cases = _cases(team, y, scale, most, better) if isinstance(team, CaseValues) else []
        body.append(label(team.team, y, left))
        body.append(told(spread.sentence(), [*cases, *_box(team, spread, y, scale)]))
    height = bottom + below(axis)
    rest, room = more(len(teams), len(shown_teams), "team", left, height)
    description = listed([spread.sentence() for spread in spreads], "No team has a value.")
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=_reading(shown_teams, most, with_cases=with_cases),
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
        values=tuple(spread.numbers for spread in spreads),
    )


def _values(teams: Sequence[CaseValues | TeamSpread]) -> list[float]:
    return [
        value
        for team in teams
        for value in (team.values if isinstance(team, CaseValues) else team.drawn)
        if value is not None
    ]


def _reading(teams: Sequence[CaseValues | TeamSpread], most: int, *, with_cases: bool) -> str:
    if not with_cases:
        return (
            "Half of a team's cases lie in its box, the line in it is the median, the diamond is the mean, and the "
            "cross is the mean of its worst tenth of cases."
        )
    many = any(isinstance(team, CaseValues) and len(team.values) > most for team in teams)
    return (
        "Each dot is a case; half of a team's cases lie in its box, the line in it is the median, the diamond is the "
        f"mean, and the crosses are its worst tenth of cases{f'; of many cases {most} are drawn' if many else ''}."
    )


def _legend(*, with_cases: bool) -> tuple[list[str], float]:
    entries = [
        (dots([(0, 0)], "points"), "case"),
        (rect(-6, -5, 12, 10, "box") + line(0, -5, 0, 5, "median"), "quartiles, median"),
        (shape("diamond", 0, 0), "mean"),
        (dots([(0, 0)], "worst", _CROSS), "worst tenth"),
    ]
    return legend(entries if with_cases else entries[1:], 8, 0)


def _cases(team: CaseValues, y: float, scale: Scale, most: int, higher_is_better: bool) -> list[str]:
    """A mark per case, evenly over their order where there are more than `most`."""
    known = shown(team.values)
    if not known:
        return []
    ordered = _worst_first(known, higher_is_better)
    chosen = np.linspace(0, len(ordered) - 1, min(len(ordered), most)).astype(int)
    points = [
        (scale.at(value), y + (place * 7 % 13 - 6) * 1.5)
        for place, value in enumerate(ordered[chosen].tolist())
    ]
    worst = int((chosen < _tenth(len(ordered))).sum())
    return [dots(points[worst:], "points"), dots(points[:worst], "worst", _CROSS)]


def _box(team: CaseValues | TeamSpread, spread: TeamSpread, y: float, scale: Scale) -> list[str]:
    low, middle, high, mean = spread.low, spread.median, spread.high, spread.mean
    numbers = [one for one in (low, middle, high, mean) if one is not None and is_drawn(one)]
    if len(numbers) < 4:
        values = team.values if isinstance(team, CaseValues) else spread.drawn
        beyond = any(value is not None and not is_drawn(value) and value == value for value in values)
        return [text(scale.start, y, "too large to draw" if beyond else "no value", "quiet")]
    x1, x2, x3, x = map(scale.at, numbers)
    marks = [
        rect(x1, y - 8, max(x3 - x1, 1), 16, "box"),
        line(x2, y - 8, x2, y + 8, "median"),
        shape("diamond", x, y),
    ]
    if isinstance(team, TeamSpread) and spread.worst is not None and is_drawn(spread.worst):
        marks.append(dots([(scale.at(spread.worst), y)], "worst", _CROSS))
    return marks


def _worst_first(known: Sequence[float], higher_is_better: bool) -> Numbers:
    ordered = np.sort(np.asarray(known, dtype=np.float64))
    return ordered if higher_is_better else ordered[::-1]


def _tenth(cases: int) -> int:
    """How many cases are the worst tenth; at least one."""
    return -(-cases // 10)
