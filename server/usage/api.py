"""What teams use, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.ids import TeamId
from contract.texts import Name
from contract.usage import TeamUsage
from server.accounts.deps import UserDep
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of
from server.usage import service

router = APIRouter(prefix="/organize", tags=["organizers"])


@router.get("/{slug}/usage")
def list_usage(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    after: Annotated[TeamId | None, Query(description="The last team of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[TeamUsage]:
    """What each team stores of what it may, and how many of its evaluations were rejected this week of how many may."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    return service.usage(session, challenge, after=after, limit=limit, settings=settings)
