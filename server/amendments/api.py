"""Amendments over HTTP, for everybody."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from contract.phases import AmendmentOut
from contract.texts import Name
from server.amendments import service
from server.amendments.views import amendment_out
from server.challenges.service import get_challenge
from server.deps import SessionDep

router = APIRouter(tags=["challenges"])


@router.get("/challenges/{slug}/amendments")
def list_amendments(
    session: SessionDep,
    slug: Name,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[UUID | None, Query(description="The last one of the page before.")] = None,
) -> list[AmendmentOut]:
    """What was changed after people could rely on it, newest first."""
    challenge = get_challenge(session, slug)
    since = None if before is None else service.get_amendment(session, challenge, before)
    found = service.amendments(session, challenge, limit=limit, before=since)
    return [amendment_out(amendment) for amendment in found]
