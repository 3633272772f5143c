"""How the places of a track differ under another rule, and on another track."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.leaderboard import TrackOut
from contract.texts import Name
from server.challenges.service import get_challenge, require_track
from server.deps import SessionDep
from server.leaderboard.answers import board_for, is_for_organizers
from server.leaderboard.service import require_visible
from server.leaderboard.variants import OtherRule, other_rules
from server.pages import page
from server.web.frame import challenge_frame
from server.web.looking import VisitorDep

router = APIRouter(include_in_schema=False)

_TRACK = "track "
_MOST_KEPT = 64
_MOST = 500
"""Teams that the table has, the first ones."""


class _Moved(NamedTuple):
    """A team: where it is, where it would be, and how far that is, in words."""

    team: str
    before: int | None
    after: int | None
    words: str


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
    tracks = {one.track: one for one in board.out.tracks}
    own = tracks.get(track) or next((one for one in board.out.tracks if one.unified), board.out.tracks[0])
    live = is_for_organizers(session, challenge, phase, visitor.user)
    rules = _kept(
        (slug, phase, own.track, board.out.at, live),
        lambda: other_rules(session, challenge, phase, own.track, live=live),
    )
    others = [one for one in board.out.tracks if one is not own and one.unified and own.unified]
    choices = [(rule.change, _in_words(rule.change)) for rule in rules]
    choices += [(f"{_TRACK}{one.track}", f"the {one.track} track") for one in others]
    chosen = against if against in dict(choices) else next((key for key, _ in choices), "")
    here = f"/challenges/{slug}/leaderboards/{phase}"
    return page(
        request,
        "boards/differences.html",
        frame=challenge_frame(challenge, takes_part=visitor.user is not None),
        path=here,
        board=board.out,
        track=own,
        here=here,
        choices=choices,
        chosen=chosen,
        words=dict(choices).get(chosen),
        moved=_moved(own, _places(chosen, rules, tracks))[:_MOST],
        ranking=challenge.spec.ranking,
    )


_Key = tuple[str, str, str, datetime, bool]
_KEPT: OrderedDict[_Key, list[OtherRule]] = OrderedDict()


def _kept(key: _Key, found: Callable[[], list[OtherRule]]) -> list[OtherRule]:
    """What was found for a board that was made at that moment: one that everybody sees is made once for each change."""
    if (rules := _KEPT.get(key)) is None:
        rules = _KEPT[key] = found()
        if len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
    return rules


def _places(chosen: str, rules: Sequence[OtherRule], tracks: Mapping[str, TrackOut]) -> Mapping[str, int]:
    if chosen.startswith(_TRACK):
        found = tracks[chosen.removeprefix(_TRACK)].unified
        return {entry.team: entry.placement for entry in found if entry.placement is not None}
    return next((rule.places for rule in rules if rule.change == chosen), {})


def _moved(track: TrackOut, after: Mapping[str, int]) -> list[_Moved]:
    ranked = [entry for entry in track.unified if entry.placement is not None]
    return [
        _Moved(
            entry.team, entry.placement, after.get(entry.team), _far(entry.placement, after.get(entry.team))
        )
        for entry in ranked
    ]


def _far(before: int | None, after: int | None) -> str:
    if before is None or after is None:
        return "not there"
    if before == after:
        return "the same"
    return f"{abs(before - after)} {'up' if after < before else 'down'}"


_WORDS = {
    "ties: min": "tied values share the best of their places",
    "ties: average": "tied values share the mean of their places",
    "ties: dense": "tied values share a place, and the next one follows at once",
    "rerank_boards: true": "the mean of a board's metric ranks is ranked again",
    "rerank_boards: false": "the mean of a board's metric ranks counts as it is",
}


def _in_words(change: str) -> str:
    """A change of the rule for people; what has no words here is said as a challenge file says it."""
    return f"{_WORDS[change]} ({change})" if change in _WORDS else change
