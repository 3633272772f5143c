"""How places move: from one state of the board to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluator.charts._marks import (
    ROW,
    column,
    counted,
    drawing,
    line,
    shape,
    shortened,
    text,
    told,
)
from evaluator.charts._picture import Picture, Value
from evaluator.charts._rank_sets import MOST_TEAMS
from evaluator.charts._scale import WIDTH

_TOP = 34
_PLACE = 36  # of the number of a place


@dataclass(frozen=True)
class MovedTeam:
    """A team with its place before and after; None where it had or has none."""

    team: str
    before: int | None
    after: int | None

    @property
    def way(self) -> Literal["up", "down", "stays", "comes", "goes"]:
        """Where it moves."""
        if self.before is None or self.after is None:
            return "stays" if self.before == self.after else "comes" if self.before is None else "goes"
        return "stays" if self.before == self.after else "up" if self.after < self.before else "down"

    def sentence(self) -> str:
        """What the picture shows of one team."""
        match self.way:
            case "up" | "down":
                return f"{self.team}: from place {self.before} {self.way} to {self.after}"
            case "comes":
                return f"{self.team}: had no place, is at {self.after}"
            case "goes":
                return f"{self.team}: was at {self.before}, has no place"
        return f"{self.team}: no place" if self.after is None else f"{self.team}: stays at place {self.after}"


def slope(
    teams: Sequence[MovedTeam],
    *,
    before: str = "Before",
    after: str = "After",
    title: str = "How places move",
    name: str = "moves",
) -> Picture:
    """Each team's place before on the left and after on the right, joined by a line."""
    drawn = _drawn(teams)
    wide = column((team.team for team in drawn), most=132)
    left, right = wide + _PLACE, WIDTH - wide - _PLACE
    body = [
        text(8, 10, shortened(before, WIDTH / 2 - 16, strong=True), "strong"),
        text(WIDTH - 8, 10, shortened(after, WIDTH / 2 - 16, strong=True), "end strong"),
    ]
    starts, ends = _heights([team.before for team in drawn]), _heights([team.after for team in drawn])
    rows = sorted(
        range(len(drawn)), key=lambda row: drawn[row].way != "stays"
    )  # what moves lies above the rest
    body += [
        told(drawn[row].sentence(), _move(drawn[row], starts[row], ends[row], left, right, wide))
        for row in rows
    ]
    height = _TOP + len(drawn) * ROW + 4
    if len(teams) > len(drawn):
        body.append(text(left, height + 6, _more(teams, drawn), "quiet"))
        height += 18
    description = _description(teams)
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            f"Each line joins a team's place {before[:1].lower()}{before[1:]} (left) to its place "
            f"{after[:1].lower()}{after[1:]} (right): a thick line with a triangle upwards moves up, a dashed one with "
            "a triangle downwards moves down, a thin one stays."
        ),
        svg=drawing(title, description, height, body),
        header=("Team", before, after, "Move"),
        values=tuple(_table_row(team) for team in teams),
    )


def _drawn(teams: Sequence[MovedTeam]) -> list[MovedTeam]:
    """As many as are drawn: those that move before those that stay, in the given order."""
    chosen = sorted(range(len(teams)), key=lambda one: (teams[one].way == "stays", one))[:MOST_TEAMS]
    return [teams[one] for one in sorted(chosen)]


def _heights(places: Sequence[int | None]) -> dict[int, float]:
    """The height of each team on one side by its number, best first; those without a place last."""
    order = sorted(range(len(places)), key=lambda one: (places[one] is None, places[one] or 0, one))
    return {one: _TOP + (row + 0.5) * ROW for row, one in enumerate(order)}


def _move(team: MovedTeam, start: float, end: float, left: float, right: float, wide: float) -> list[str]:
    way = team.way
    moves = way in ("up", "down")
    short = shortened(team.team, wide - 6, strong=moves)
    style = "strong" if moves else "start"
    marks = [
        text(left - 10, start, f"{'–' if team.before is None else team.before}", f"end {style}"),
        text(left - _PLACE, start, short, f"end {style}"),
        text(right + 10, end, f"{'–' if team.after is None else team.after}", style),
        text(right + _PLACE, end, short, style),
    ]
    if way == "comes":
        return [*marks, text(right - 8, end, "new", "end quiet")]
    if way == "goes":
        return [*marks, text(left + 8, start, "gone", "quiet")]
    if team.after is None:
        return marks
    marks.append(line(left, start, right, end, way))
    if moves:
        marks.append(
            shape("triangle" if way == "up" else "down", right - 3, end, "ahead" if way == "up" else "behind")
        )
    return marks


def _more(teams: Sequence[MovedTeam], drawn: Sequence[MovedTeam]) -> str:
    moving = sum(team.way != "stays" for team in teams) - sum(team.way != "stays" for team in drawn)
    which = f"{moving:,} of them move" if moving else "none of them moves"
    return f"{len(teams) - len(drawn):,} more teams in the table alone; {which}"


def _table_row(team: MovedTeam) -> tuple[Value, ...]:
    words = {"comes": "new", "goes": "gone", "stays": "stays"}
    if team.before is None or team.after is None or team.way == "stays":
        return team.team, team.before, team.after, words[team.way]
    return team.team, team.before, team.after, f"{team.way} {abs(team.after - team.before)}"


def _description(teams: Sequence[MovedTeam]) -> str:
    moved = [team for team in teams if team.way != "stays"]
    if not teams:
        return "No team has a place."
    if not moved:
        return f"No place moves among {counted(len(teams), 'team')}."
    more = f"; and {len(moved) - 10:,} more" if len(moved) > 10 else ""
    said = "; ".join(team.sentence() for team in moved[:10])
    return f"{len(moved):,} of {counted(len(teams), 'place')} {'moves' if len(moved) == 1 else 'move'}. {said}{more}."
