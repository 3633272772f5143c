"""A challenge on one screen, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.overview import ChallengeOverview
from contract.texts import Name
from server.accounts.deps import UserDep
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of
from server.overview import service

router = APIRouter(prefix="/organize", tags=["organizers"])


@router.get("/{slug}/overview")
def get_overview(
    session: SessionDep,
    user: UserDep,
    settings: SettingsDep,
    slug: Name,
    days: Annotated[int, Query(ge=1, le=service.MOST_DAYS, description="Days that are counted")] = 28,
) -> ChallengeOverview:
    """What of the challenge needs somebody first, and how the season goes. It reads no label and no case."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    return service.overview(session, challenge, observer, days=days, settings=settings)
