"""Why places and prizes change between two sides of a board: by a team's own change, by others', or by the rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from contract.changes import Cause, PlaceShift
from evaluator.ranking import Standing

STANDING = "standing"
_NAMED = 3  # teams that a sentence names


@dataclass(frozen=True)
class Seen:
    """A team in a track. own: what of it changes, names of boards and `STANDING`; before and after: where it stands."""

    name: str
    own: Sequence[str]
    before: Standing | None
    after: Standing | None

    def place(self, *, after: bool) -> int | None:
        """Its place over all boards."""
        standing = self.after if after else self.before
        return None if standing is None else standing.placement

    def prize(self, *, after: bool) -> str | None:
        """What it wins."""
        standing = self.after if after else self.before
        return None if standing is None else standing.prize

    @property
    def moves(self) -> bool:
        """Whether its place or prize changes."""
        sides = [(self.place(after=after), self.prize(after=after)) for after in (False, True)]
        return sides[0] != sides[1]

    def order(self, *, after: bool) -> tuple[float, float]:
        """Its place among all, and among those that may win; without one after all that have one."""
        standing = self.after if after else self.before
        places = (None, None) if standing is None else (standing.placement, standing.eligible_placement)
        return (places[0] or inf, places[1] or inf)


def shifts(track: str, seen: Mapping[str, Seen], *, rule: bool) -> list[PlaceShift]:
    """Every team of a track by its place after, then before; `rule`: the ranking rule changes, too."""
    changing = [team for team in seen.values() if team.own]
    found = [_shift(track, team, one, changing, rule=rule) for team, one in seen.items()]
    return sorted(found, key=lambda shift: changed(shift.place_after, shift.place_before, shift.team))


def changed(after: float | None, before: float | None, name: str) -> tuple[float, float, str]:
    """Sorts by where a team comes to stand, those without a place last."""
    return (after or inf, before or inf, name)


def _shift(track: str, team: str, one: Seen, changing: Sequence[Seen], *, rule: bool) -> PlaceShift:
    others = _movers(one, changing) if one.moves else []
    cause = _cause(one, others, rule=rule) if one.moves else None
    return PlaceShift(
        id=team,
        team=one.name,
        place_before=one.place(after=False),
        place_after=one.place(after=True),
        prize_before=one.prize(after=False),
        prize_after=one.prize(after=True),
        own=list(one.own),
        others=[other.name for other in others],
        cause=cause,
        sentence=None if cause is None else _sentence(track, one, others, rule=rule),
    )


def _movers(one: Seen, changing: Sequence[Seen]) -> list[Seen]:
    """The other teams whose change moves this one: those that change sides with it.

    Where none does and it has not changed itself, all that change: ranks per metric are ranks among all. Who comes to
    a place, or leaves it, does so by itself.
    """
    others = [team for team in changing if team is not one]
    if one.own and (one.place(after=False) is None or one.place(after=True) is None):
        return []
    crossing = [
        team
        for team in others
        if _sides(team.order(after=False), one.order(after=False))
        != _sides(team.order(after=True), one.order(after=True))
    ]
    return crossing if crossing or one.own else others


def _sides(team: tuple[float, float], other: tuple[float, float]) -> list[int]:
    return [(place > against) - (place < against) for place, against in zip(team, other, strict=True)]


def _cause(one: Seen, others: Sequence[Seen], *, rule: bool) -> Cause:
    if rule:
        return Cause.RULE
    if one.own:
        return Cause.BOTH if others else Cause.OWN
    return Cause.OTHERS


def _sentence(track: str, one: Seen, others: Sequence[Seen], *, rule: bool) -> str:
    old, new = one.place(after=False), one.place(after=True)
    parts = []
    if old != new:
        parts.append(f"{old or 'no place'} → {new or 'no place'} in track {track}")
    was, wins = one.prize(after=False), one.prize(after=True)
    if was != wins:
        where = "" if parts else f" in track {track}"
        parts.append(f"{was or 'no prize'} → {wins or 'no prize'}{where}")
    reasons = ["the ranking rule changes"] if rule else []
    if one.own:
        reasons.append(f"its own {_what(one.own)}")
    if others:
        reasons.append(_told(others))
    because = f", because {' and '.join(reasons)}" if reasons else ""
    return f"{one.name}: {'; '.join(parts)}{because}."


def _what(own: Sequence[str]) -> str:
    boards = [name for name in own if name != STANDING]
    if not boards:
        return "standing changes"
    values = f"values on {', '.join(boards)}"
    return f"standing and {values} change" if len(boards) < len(own) else f"{values} change"


def _told(others: Sequence[Seen]) -> str:
    names = [team.name for team in others[:_NAMED]]
    if more := len(others) - len(names):
        names.append(f"{more} more")
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    own = {name == STANDING for team in others for name in team.own}
    if len(own) == 2:  # some by their values, some by their standing
        return f"{listed} change{'' if len(names) > 1 else 's'}"
    what = "standing changes" if own == {True} else "values change"
    return f"the {what.split()[0]} of {listed} {what.split()[1]}"
