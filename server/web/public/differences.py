"""How the places of a track differ without a board, under another rule, and on another track."""

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.sureness import SurenessOut
from contract.texts import Name
from evaluator.charts import MovedTeam, slope
from server.challenges.service import get_challenge, require_track
from server.comparisons.sight import seen
from server.comparisons.sureness import sureness_out
from server.deps import SessionDep
from server.leaderboard.answers import board_for
from server.leaderboard.made import MadeTrack
from server.leaderboard.service import require_visible
from server.pages import page, plural
from server.web.frame import challenge_frame
from server.web.looking import VisitorDep
from server.web.opening import opening_track

router = APIRouter(include_in_schema=False)

_TRACK, _WITHOUT = "track ", "without "
_MOST = 500
"""Teams that the table has, the first ones."""


class _Moved(NamedTuple):
    """A team: where it is, where it would be, and how far that is, in words."""

    team: str
    before: int
    after: int | None
    words: str


class _Choice(NamedTuple):
    """What the places are set beside: as the address says it, in words, and with the places there."""

    key: str
    words: str
    places: Mapping[str, int]


@router.get("/challenges/{slug}/leaderboards/{phase}/differences", response_class=HTMLResponse)
def differences(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    slug: Name,
    phase: Name,
    track: Annotated[str, Query(max_length=60)] = "",
    against: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """The places of a track beside those under a rule that differs in one point, or of the teams on another track."""
    challenge = get_challenge(session, slug)
    require_visible(session, challenge, phase, visitor.user)
    if track:
        require_track(challenge.spec, track)
    board = board_for(request, session, challenge, phase, visitor.user)
    own = opening_track(board, track)
    sure = sureness_out(session, seen(session, challenge, phase, own.track, visitor.user))
    choices = _choices(own, sure, [one for one in board.made.tracks if one is not own])
    chosen = next((one for one in choices if one.key == against), _first(own, choices))
    moved = [] if chosen is None else _moved(own, chosen.places)[:_MOST]
    here = f"/challenges/{slug}/leaderboards/{phase}"
    drawn = [MovedTeam(one.team, one.before, one.after) for one in moved]
    return page(
        request,
        "boards/differences.html",
        frame=challenge_frame(challenge, takes_part=visitor.user is not None),
        path=here,
        board=board.made.head,
        tracks=board.made.tracks,
        track=own,
        here=here,
        pending=sure.pending,
        choices=[(one.key, _named(own, one)) for one in choices],
        any_moves=any(_moving(own, one.places) for one in choices),
        chosen="" if chosen is None else chosen.key,
        words=None if chosen is None else chosen.words,
        moved=moved,
        picture=slope(drawn, after="There") if any(one.before != one.after for one in moved) else None,
        ranking=challenge.spec.ranking,
    )


def _choices(own: MadeTrack, sure: SurenessOut, others: list[MadeTrack]) -> list[_Choice]:
    """Everything that is kept of the track, worked out when its scores changed; and the other tracks."""
    if not own.unified:
        return []
    rules = [_Choice(rule.change, rule.sentence, rule.places) for rule in sure.rules]
    boards = [
        _Choice(f"{_WITHOUT}{one.board}", f"{one.title} has no weight", one.places)
        for one in sure.without_boards
    ]
    tracks = [
        _Choice(
            f"{_TRACK}{one.track}",
            f"the {one.track} track",
            {entry.team: entry.placement for entry in one.unified if entry.placement is not None},
        )
        for one in others
        if one.unified
    ]
    return [*rules, *boards, *tracks]


def _first(own: MadeTrack, choices: Sequence[_Choice]) -> _Choice | None:
    """The first one under which a place changes, else the first."""
    return next((one for one in choices if _moving(own, one.places)), choices[0] if choices else None)


def _moving(own: MadeTrack, places: Mapping[str, int]) -> int:
    """How many teams would stand elsewhere."""
    return sum(
        entry.placement is not None and places.get(entry.team, entry.placement) != entry.placement
        for entry in own.unified
    )


def _named(own: MadeTrack, choice: _Choice) -> str:
    """A choice with what it comes to, so that nobody has to try all of them."""
    moving = _moving(own, choice.places)
    return f"{choice.words}: {plural(moving, 'team') + ' elsewhere' if moving else 'no place changes'}"


def _moved(track: MadeTrack, after: Mapping[str, int]) -> list[_Moved]:
    return [
        _Moved(entry.team, entry.placement, there, _far(entry.placement, there))
        for entry in track.unified
        if entry.placement is not None
        for there in [after.get(entry.team)]
    ]


def _far(before: int, after: int | None) -> str:
    if after is None:
        return "not there"
    if before == after:
        return "the same"
    return f"{abs(before - after)} {'up' if after < before else 'down'}"
