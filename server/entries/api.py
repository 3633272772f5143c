"""The endpoint of what stands behind a team's entries on a leaderboard."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.entries import EntryDetailsOut
from contract.texts import Name
from server.accounts.deps import ViewerDep
from server.challenges.service import get_challenge
from server.deps import SessionDep
from server.entries.service import entry_details

router = APIRouter(tags=["leaderboards"])


@router.get("/challenges/{slug}/leaderboards/{phase}/entry")
def get_entry(
    session: SessionDep,
    viewer: ViewerDep,
    slug: Name,
    phase: Name,
    team: Annotated[Name, Query(description="Its name or its id.")],
    track: Annotated[Name | None, Query(description="The first one where none is named.")] = None,
) -> EntryDetailsOut:
    """What stands behind a team's entries on one track: failed cases, repeated runs, versions, amendments, receipts."""
    return entry_details(session, get_challenge(session, slug), phase, track, team, viewer)
