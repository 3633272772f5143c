"""Endpoints of a released leaderboard's editions; whoever sees the leaderboard sees them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from contract.editions import EditionDifferencesOut, EditionOut
from contract.texts import Name
from server.accounts.deps import ViewerDep
from server.challenges.service import find_track, get_challenge
from server.deps import SessionDep
from server.editions import service
from server.editions.views import differences_out, edition_out
from server.leaderboard.answers import board_for
from server.leaderboard.service import require_visible

router = APIRouter(tags=["leaderboards"])

_EDITIONS = "/challenges/{slug}/phases/{phase}/editions"
_MOST_NUMBER = 1_000_000
Number = Annotated[int, Path(ge=1, le=_MOST_NUMBER)]
TrackName = Annotated[Name | None, Query(description="The first one where none is named.")]


@router.get(_EDITIONS)
def list_editions(
    session: SessionDep,
    viewer: ViewerDep,
    slug: Name,
    phase: Name,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=1, le=_MOST_NUMBER, description="Only lower numbers.")] = None,
) -> list[EditionOut]:
    """The editions of a released leaderboard, newest first: its release, and each act after it that changed it."""
    challenge = get_challenge(session, slug)
    found = service.editions_of(session, challenge, phase, viewer, limit=limit, before=before)
    return [edition_out(one) for one in found]


@router.get(f"{_EDITIONS}/{{number}}/differences")
def get_edition_differences(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    slug: Name,
    phase: Name,
    number: Number,
    track: TrackName = None,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> EditionDifferencesOut:
    """The places and values of a track in an edition beside those of now, and what moved each team."""
    challenge = get_challenge(session, slug)
    require_visible(session, challenge, phase, viewer)
    track = find_track(challenge.spec, track)
    board = board_for(request, session, challenge, phase, viewer).out  # first: it reads all anew
    edition = service.get_edition(session, challenge, phase, number, viewer)
    return differences_out(session, challenge, edition, board, track, offset=offset, limit=limit)
