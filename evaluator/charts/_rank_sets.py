"""How sure each place is: the places that cannot be excluded, and who is not told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from evaluator.charts._marks import (
    ROW,
    across,
    below,
    column,
    counted,
    drawing,
    label,
    more,
    number,
    shape,
    text,
    told,
    whisker,
)
from evaluator.charts._picture import Picture
from evaluator.charts._scale import WIDTH, Scale

MOST_TEAMS = 60
"""As many teams a picture of places draws; its table has all of them."""
_TOP = 22
_GUTTER = 34  # of the brackets


@dataclass(frozen=True)
class PlacedTeam:
    """A team, its place, and the lowest and highest place that cannot be excluded; None where it is not known.

    group: its number; teams of a group stand together and are not told apart from the best of it.
    """

    team: str
    place: int | None
    low: int | None = None
    high: int | None = None
    group: int | None = None


def rank_sets(
    teams: Sequence[PlacedTeam],
    *,
    level: float = 0.95,
    title: str = "How sure each place is",
    name: str = "places",
) -> Picture:
    """The places of teams, best first as given, with all that cannot be excluded at `level` for all teams at once."""
    drawn = teams[:MOST_TEAMS]
    left = column(team.team for team in drawn)
    last = max([1, *(place for team in drawn for place in (team.place, team.high) if place is not None)])
    scale = Scale.places(last, start=left + 4, end=WIDTH - _GUTTER - 4)
    bottom = _TOP + len(drawn) * ROW
    body = [
        text(scale.start, 10, "← better", "small"),
        text(scale.end, 10, "worse place →", "small end"),
        *across(scale, _TOP, bottom),
    ]
    for row, team in enumerate(drawn):
        body.append(told(sentence(team), _row(team, _TOP + (row + 0.5) * ROW, left, scale)))
    body += _brackets(drawn)
    height = bottom + below()
    rest, room = more(len(teams), len(drawn), "team", left, height)
    return Picture(
        name=name,
        title=title,
        description=_description(teams, level),
        reading=(
            f"A line spans every place that cannot be excluded for a team, with {level:.0%} confidence for all teams "
            "at once; the dot is its place, filled where the first place cannot be excluded; the teams of one bracket "
            "are not told apart from the best of it."
        ),
        svg=drawing(title, _description(teams, level), height + room, [*body, *rest]),
        header=("Team", "Place", "Lowest", "Highest", "Group"),
        values=tuple((team.team, team.place, team.low, team.high, team.group) for team in teams),
    )


def _row(team: PlacedTeam, y: float, left: float, scale: Scale) -> list[str]:
    marks = [label(team.team, y, left)]
    if team.low is not None and team.high is not None:
        marks.append(whisker(scale.at(team.low), scale.at(team.high), y))
    if team.place is None:
        marks.append(text(scale.start + 4, y, "no place", "quiet"))
    else:
        first = team.low is not None and team.low <= 1
        marks.append(shape("circle", scale.at(team.place), y, "mark" if first else "mark hollow"))
    return marks


def _brackets(teams: Sequence[PlacedTeam]) -> list[str]:
    """A thin bracket beside the rows of each group of two or more."""
    drawn, row, x = [], 0, WIDTH - _GUTTER + 8
    for group, members in groupby(teams, lambda team: team.group):
        size = len(list(members))
        if group is not None and size > 1:
            top, bottom = _TOP + row * ROW + 4, _TOP + (row + size) * ROW - 4
            path = f"M{number(x)} {number(top)}h6V{number(bottom)}h-6"
            mark = f'<path class="bracket" d="{path}"/>'
            words = f"Group {group}: {counted(size, 'team')} not told apart from the best of it"
            drawn.append(told(words, [mark, text(x + 10, (top + bottom) / 2, f"{group}", "small")]))
        row += size
    return drawn


def sentence(team: PlacedTeam) -> str:
    """What the picture shows of one team."""
    if team.place is None:
        return f"{team.team}: no place"
    if team.low is None or team.high is None:
        return f"{team.team}: place {team.place}, not known how sure"
    if team.low == team.high:
        return f"{team.team}: place {team.place}, no other place is possible at this level"
    return f"{team.team}: place {team.place}, {team.low} to {team.high} cannot be excluded"


def _description(teams: Sequence[PlacedTeam], level: float) -> str:
    if not teams:
        return "No team has a place yet."
    first = [team.team for team in teams if team.low is not None and team.low <= 1]
    some = ", ".join(first[:5]) + (f" and {len(first) - 5:,} more" if len(first) > 5 else "")
    winners = f"Not excluded as first with {level:.0%} confidence: {some}. " if first else ""
    others = f"; and {len(teams) - 10:,} more teams" if len(teams) > 10 else ""
    return f"{winners}{'; '.join(map(sentence, teams[:10]))}{others}."
