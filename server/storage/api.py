"""The images of a team, what it stores, and taking an image from it, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from contract.ids import ImageId, TeamId
from contract.images import ImageOut, StorageOut
from server.accounts.deps import UserDep
from server.deps import SessionDep, SettingsDep
from server.images import service as images
from server.storage import service
from server.storage.sweep import discard_removed
from server.uploads.views import images_out

router = APIRouter(tags=["images"])
Digest = Annotated[str, Path(pattern="^sha256:[0-9a-f]{64}$", max_length=71)]
After = Annotated[ImageId | None, Query(description="`id` of the last image of the page before")]
Limit = Annotated[int, Query(ge=1, le=images.MOST_LISTED, description="Fewer come only where the list ends")]


@router.get("/teams/{team_id}/images")
def list_images(
    team_id: TeamId,
    session: SessionDep,
    user: UserDep,
    after: After = None,
    limit: Limit = images.MOST_LISTED,
) -> list[ImageOut]:
    """A team's images, newest first, page by page."""
    found = images.list_images(session, user, team_id, after=after, limit=limit)
    return images_out(session, team_id, found)


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
    stored, allowed = service.get_storage(session, user, team_id, settings=settings)
    return StorageOut.of(stored, allowed=allowed.team)
