"""Images over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from contract.ids import ImageId, TeamId
from contract.images import ImageOut, StorageOut
from server.deps import SessionDep, SettingsDep, UserDep
from server.images import service
from server.sweep import discard_removed

router = APIRouter(tags=["images"])
Digest = Annotated[str, Path(pattern="^sha256:[0-9a-f]{64}$", max_length=71)]

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


@router.delete("/teams/{team_id}/images/{digest}", status_code=204)
def remove_image(
    team_id: TeamId,
    digest: Digest,
    request: Request,
    session: SessionDep,
    user: UserDep,
    settings: SettingsDep,
) -> Response:
    """Takes an image from a team, and from what it stores; not one of an evaluation that may be run again."""

    def gone(blobs: list[str]) -> None:
        discard_removed(request.app.state.sessions, settings.blobs, blobs)

    service.remove_image(session, user, team_id, digest, discard=gone)
    return Response(status_code=204)


@router.get("/teams/{team_id}/storage")
def get_storage(team_id: TeamId, session: SessionDep, user: UserDep, settings: SettingsDep) -> StorageOut:
    """What a team stores and may store, in bytes."""
    return StorageOut.of(service.get_storage(session, user, team_id), allowed=settings.team_storage)
