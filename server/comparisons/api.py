"""Endpoints of what stands behind leaderboards; each shows what the board itself shows to whoever asks."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.sureness import ComparisonOut, DistributionOut, SurenessOut
from contract.texts import Name
from server.accounts.deps import ViewerDep
from server.challenges.service import get_challenge
from server.comparisons import service
from server.comparisons.sight import note_look, seen
from server.comparisons.sureness import sureness_out
from server.deps import SessionDep

router = APIRouter(tags=["leaderboards"])

_BOARDS = "/challenges/{slug}/leaderboards/{phase}"
TrackName = Annotated[Name | None, Query(description="The first one where none is named.")]


@router.get(f"{_BOARDS}/certainty")
def get_certainty(
    session: SessionDep, viewer: ViewerDep, slug: Name, phase: Name, track: TrackName = None
) -> SurenessOut:
    """How sure the places of one track are, pair by pair, and what would change them."""
    return sureness_out(session, seen(session, get_challenge(session, slug), phase, track, viewer))


@router.get(f"{_BOARDS}/comparison")
def get_comparison(
    session: SessionDep,
    viewer: ViewerDep,
    slug: Name,
    phase: Name,
    board: Name,
    team: Annotated[list[Name], Query(min_length=2, max_length=5, description="Names or ids of teams.")],
    track: TrackName = None,
) -> ComparisonOut:
    """Two to five entries of one board beside each other; single cases and groups once the phase is released."""
    sight = seen(session, get_challenge(session, slug), phase, track, viewer)
    note_look(session, sight, viewer)
    return service.compare(session, sight, board, team)


@router.get(f"{_BOARDS}/boards/{{board}}/distribution")
def get_distribution(
    session: SessionDep,
    viewer: ViewerDep,
    slug: Name,
    phase: Name,
    board: Name,
    track: TrackName = None,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DistributionOut:
    """What single cases gave the entries of one board, in the board's order, once the phase is released."""
    sight = seen(session, get_challenge(session, slug), phase, track, viewer)
    note_look(session, sight, viewer)
    return service.distribution(session, sight, board, offset=offset, limit=limit)
