"""What suggests that several accounts are one person's, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.same_person import Resemblance
from contract.texts import Name
from server.accounts.deps import UserDep
from server.challenges.service import get_challenge
from server.deps import SessionDep
from server.organizers.access import observer_of
from server.same_person import service

router = APIRouter(prefix="/organize", tags=["organizers"])


@router.get("/{slug}/accounts")
def list_resemblances(
    slug: Name, session: SessionDep, user: UserDep, limit: Annotated[int, Query(ge=1, le=200)] = 200
) -> list[Resemblance]:
    """Accounts of different teams that may be one person's, and what says so; nothing follows from it by itself."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    return service.resemblances(session, challenge, limit=limit)
