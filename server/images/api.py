"""The images of a team over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.ids import ImageId, TeamId
from contract.images import ImageOut
from server.accounts.deps import UserDep
from server.deps import SessionDep
from server.images import service

router = APIRouter(tags=["images"])
After = Annotated[ImageId | None, Query(description="`id` of the last image of the page before")]
Limit = Annotated[int, Query(ge=1, le=service.MOST_LISTED, description="Fewer come only where the list ends")]


@router.get("/teams/{team_id}/images")
def list_images(
    team_id: TeamId,
    session: SessionDep,
    user: UserDep,
    after: After = None,
    limit: Limit = service.MOST_LISTED,
) -> list[ImageOut]:
    """A team's images, newest first, page by page."""
    found = service.list_images(session, user, team_id, after=after, limit=limit)
    return [ImageOut.of(row) for row in found]
