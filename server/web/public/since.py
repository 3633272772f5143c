"""A released leaderboard then and now, as a page and as rows of a file."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from contract.editions import BoardSinceOut, TeamSinceOut
from contract.leaderboard import LeaderboardOut, TrackOut
from evaluator.charts import MovedTeam, slope
from server.challenges.models import Challenge
from server.editions.differences import Since, since
from server.editions.models import Edition
from server.editions.service import later_than
from server.editions.views import edition_out

UNLISTED = "no longer listed"
_STEP = 100
"""Teams on a page."""
_LATER = 50
_ARROWS = {"higher": "↑", "lower": "↓"}


class ValueSince(NamedTuple):
    """One value of a team that is another now."""

    team: str
    board: str
    title: str
    metric: str
    then: str
    now: str


def far(before: int, after: int) -> str:
    """How far a team moves, in words."""
    if before == after:
        return "the same"
    return f"{abs(before - after)} {'up' if after < before else 'down'}"


def since_page(
    session: Session,
    challenge: Challenge,
    edition: Edition,
    board: LeaderboardOut,
    track: TrackOut,
    *,
    offset: int,
) -> Mapping[str, Any]:
    """What the page of an edition is filled with; board and track: as the asker sees them now."""
    found = since(session, challenge, edition, board, track)
    shown = found.teams[offset : offset + _STEP]
    words = edition_out(edition)
    drawn = [MovedTeam(one.team or UNLISTED, one.place_then, one.place_now) for one in found.teams]
    return {
        "edition": words,
        "later": [edition_out(one) for one in later_than(session, challenge, edition, most=_LATER)],
        "moved": found.moved,
        "total": len(found.teams),
        "teams": [(one, _moves(one)) for one in shown],
        "changed": list(_values(found, shown, board.decimals)),
        "offset": offset,
        "step": _STEP,
        "picture": slope(drawn, before="Then", after="Now", title="Places then and now", name="since")
        if found.moved
        else None,
    }


def since_rows(
    session: Session, challenge: Challenge, edition: Edition, board: LeaderboardOut, track: TrackOut
) -> Iterator[Sequence[object]]:
    """The same as rows of a file: every team with its places, mean ranks, and ranks and values on each board."""
    found = since(session, challenge, edition, board, track)
    head = [
        "team",
        "place then",
        "place now",
        "moves",
        "mean rank then",
        "mean rank now",
        "places then",
        "why",
    ]
    for one in found.boards:
        names = ("rank", *(metric.name for metric in one.metrics))
        head += [f"{one.board} {name} {when}" for name in names for when in ("then", "now")]
    yield head
    for team in found.teams:
        sure = "" if team.low_then is None else f"{team.low_then} to {team.high_then}"
        own = {one.board: one for one in team.boards}
        cells = [
            cell for one in found.boards for cell in _cells(own.get(one.board), [m.name for m in one.metrics])
        ]
        yield [
            team.team or UNLISTED,
            team.place_then,
            team.place_now,
            _moves(team),
            team.overall_then,
            team.overall_now,
            sure,
            team.why,
            *cells,
        ]


def _cells(own: BoardSinceOut | None, metrics: Sequence[str]) -> list[float | None]:
    if own is None:
        return [None] * (2 + 2 * len(metrics))
    values = [side.get(name) for name in metrics for side in (own.values_then, own.values_now)]
    return [own.rank_then, own.rank_now, *values]


def _moves(team: TeamSinceOut) -> str:
    if team.place_then is None:
        return "new"
    if team.place_now is None:
        return "gone"
    return far(team.place_then, team.place_now)


def _values(found: Since, shown: Sequence[TeamSinceOut], decimals: int) -> Iterator[ValueSince]:
    """The values of these teams that are others now."""
    boards = {one.board: one for one in found.boards}
    for team in shown:
        for own in team.boards:
            if not own.changed or team.team is None or team.overall_then is None:
                continue
            board = boards[own.board]
            for metric in board.metrics:
                sides = [side.get(metric.name) for side in (own.values_then, own.values_now)]
                if sides[0] != sides[1]:
                    title = f"{metric.title} {_ARROWS.get(metric.better or '', '')}".strip()
                    then, now = ("–" if one is None else f"{one:.{decimals}f}" for one in sides)
                    yield ValueSince(team.team, own.board, board.title, title, then, now)
