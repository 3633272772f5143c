"""Images over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from server.deps import SessionDep, UserDep
from server.images import service
from server.images.schemas import ImageOut

router = APIRouter(tags=["images"])


@router.get("/teams/{team_id}/images")
def list_images(team_id: UUID, session: SessionDep, user: UserDep) -> list[ImageOut]:
    """A team's images."""
    return [ImageOut.model_validate(row) for row in service.list_images(session, user, team_id)]
