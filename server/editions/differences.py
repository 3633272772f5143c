"""A released leaderboard then and now: who moved, and by what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.editions import BoardSinceOut, SinceBoardOut, TeamSinceOut
from contract.ids import TeamId
from contract.leaderboard import EntryOut, LeaderboardOut, TrackOut, UnifiedOut
from server.challenges.models import Challenge
from server.editions.models import BoardsThen, Edition, PlaceThen, RankThen
from server.teams.models import Team

_NOTHING_THEN = PlaceThen("", None, None, None, None)


@dataclass(frozen=True)
class Since:
    """A track then and now. teams: by their place now, those without one behind; boards: those with an entry."""

    boards: Sequence[SinceBoardOut]
    teams: Sequence[TeamSinceOut]

    @property
    def moved(self) -> int:
        """How many teams stand elsewhere now."""
        return sum(one.place_then != one.place_now for one in self.teams)


def since(
    session: Session, challenge: Challenge, edition: Edition, board: LeaderboardOut, now: TrackOut
) -> Since:
    """What became of the places of a track since an edition. board, and now, its track: as the asker sees them."""
    then = edition.places.tracks.get(now.track, [])
    names = named_teams(teams_of(session, challenge), then)
    rule = edition.version != board.version
    sides = _Sides(edition.boards, now, min(board.decimals, edition.boards.decimals), names)
    entries = {one.team: one for one in now.unified}
    found = [_team(sides, one, names.get(one.team), entries, rule=rule) for one in then]
    told = {one.team for one in found}
    found += [_comes(sides, entry) for name, entry in entries.items() if name not in told]
    placed = [one for one in found if one.place_then is not None or one.place_now is not None]
    order = sorted(placed, key=lambda one: (one.place_now or inf, one.place_then or inf, one.team or ""))
    return Since(list(sides.listed()), order)


Teams = Mapping[str, tuple[TeamId, str, bool, TeamId | None]]
"""By id: each team with its name, whether it is on no board, and into which it was merged."""


def teams_of(session: Session, challenge: Challenge) -> Teams:
    """What is to be known of the challenge's teams."""
    columns = Team.id, Team.name, Team.hidden, Team.merged_into
    rows = session.execute(select(*columns).where(Team.challenge_id == challenge.id))
    return {str(key): (key, name, hidden, into) for key, name, hidden, into in rows}


def named_teams(teams: Teams, then: Sequence[PlaceThen]) -> dict[str, str]:
    """What the teams of an edition are called now, by their ids; who is no longer listed is left out.

    A team that was merged is the one that has had all of it since, unless that one has a place of its own there.
    """
    own, names, taken = {one.team for one in then}, dict[str, str](), set[TeamId]()
    for one in then:
        team = teams.get(one.team)
        while team is not None and team[3] is not None:
            team = teams.get(str(team[3]))
        if team is None:
            continue
        team_id, name, hidden, _ = team
        another = str(team_id) != one.team and str(team_id) in own
        if not (hidden or another or team_id in taken):
            taken.add(team_id)
            names[one.team] = name
    return names


class _Sides:
    """The boards of a track then and now; decimals: to which both sides show their values."""

    def __init__(self, then: BoardsThen, now: TrackOut, decimals: int, names: Mapping[str, str]) -> None:
        self._now, self._step = now, 0.51 * 0.1**decimals
        boards = then.tracks.get(now.track, {})
        self._then: dict[str, dict[str, RankThen]] = {
            name: {names[one.team]: one for one in board.entries if one.team in names}
            for name, board in boards.items()
        }
        self._metrics = {name: board.metrics for name, board in boards.items()}
        self._entries: dict[str, dict[str, EntryOut]] = {
            board.board: {one.team: one for one in board.entries} for board in now.boards
        }

    def listed(self) -> Iterator[SinceBoardOut]:
        """The boards of today that have an entry, then or now."""
        for board in self._now.boards:
            if board.entries or self._then.get(board.board):
                yield SinceBoardOut.of(board)

    def of(self, team: str) -> list[BoardSinceOut]:
        """What a team has on each board of today."""
        found = (self._of(board.board, team) for board in self._now.boards)
        return [one for one in found if one is not None]

    def _of(self, board: str, team: str) -> BoardSinceOut | None:
        old, new = self._then.get(board, {}).get(team), self._entries[board].get(team)
        if old is None and new is None:
            return None
        then = {} if old is None else dict(zip(self._metrics[board], old.values, strict=True))
        now = {} if new is None else {name: one.value for name, one in new.metrics.items()}
        return BoardSinceOut(
            board=board,
            rank_then=None if old is None else old.rank,
            rank_now=None if new is None else new.rank,
            values_then=then,
            values_now=now,
            changed=self._differ(then, now),
        )

    def _differ(self, then: Mapping[str, float | None], now: Mapping[str, float | None]) -> bool:
        return then.keys() != now.keys() or any(
            (then[name] is None) != (now[name] is None)
            or abs((then[name] or 0) - (now[name] or 0)) > self._step
            for name in then
        )


def _team(
    sides: _Sides, then: PlaceThen, name: str | None, entries: Mapping[str, UnifiedOut], *, rule: bool
) -> TeamSinceOut:
    if name is None:  # what it had is told of nobody
        return _told(then._replace(overall=None, low=None, high=None), None, None, [], "no longer listed")
    entry, boards = entries.get(name), sides.of(name)
    return _told(then, name, entry, boards, _why(then, entry, boards, rule=rule))


def _comes(sides: _Sides, entry: UnifiedOut) -> TeamSinceOut:
    return _told(_NOTHING_THEN, entry.team, entry, sides.of(entry.team), "not on the leaderboard then")


def _told(
    then: PlaceThen, name: str | None, entry: UnifiedOut | None, boards: list[BoardSinceOut], why: str | None
) -> TeamSinceOut:
    return TeamSinceOut(
        team=name,
        place_then=then.place,
        place_now=None if entry is None else entry.placement,
        overall_then=then.overall,
        overall_now=None if entry is None else entry.overall,
        low_then=then.low,
        high_then=then.high,
        why=why,
        boards=boards,
    )


def _why(
    then: PlaceThen, entry: UnifiedOut | None, boards: Sequence[BoardSinceOut], *, rule: bool
) -> str | None:
    """What moved a team; None where its place is what it was. rule: whether the challenge file is another one."""
    if entry is None:
        return "nothing that counts any more"
    if then.place == entry.placement:
        return None
    if entry.placement is None:
        return "disqualified" if entry.disqualified else "a baseline now"
    if then.place is None:
        return "ranked again"
    if own := [one.board for one in boards if one.changed]:
        return f"its own values on {', '.join(own)} changed"
    return "others moved, or the rule changed" if rule else "others moved"
