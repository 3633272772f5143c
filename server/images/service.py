"""The images that a team has. How they come is in `server.uploads`, and how they go in `server.storage`."""

from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from contract.ids import ImageId, TeamId
from contract.problems import ErrorCode
from server.accounts.principals import User
from server.errors import NotFound
from server.images.models import Image
from server.teams.membership import require_member

MOST_LISTED = 100  # images that one page of a list may have


def own(team_id: TeamId) -> Select[Image]:
    """The images of a team that were not removed."""
    return select(Image).where(Image.team_id == team_id, Image.removed_at.is_(None))


def get_image(session: Session, team_id: TeamId, digest: str) -> Image:
    """A team's image, which is not removed while the unit of work lasts.

    Raises:
        NotFound: the team has none with this digest.
    """
    image = session.scalar(own(team_id).where(Image.digest == digest).with_for_update(read=True))
    if image is None:
        raise unknown_image()
    return image


def unknown_image() -> NotFound:
    """The problem of an image that the team has not."""
    return NotFound(
        ErrorCode.UNKNOWN_IMAGE,
        "The team has no image with this digest. Upload its archive first, and take the digest that the upload shows "
        "once it is ready.",
    )


def list_images(
    session: Session, user: User, team_id: TeamId, *, after: ImageId | None = None, limit: int = MOST_LISTED
) -> Sequence[Image]:
    """Up to `limit` of a team's images, newest first; with `after` those older than it.

    Raises:
        NotFound: somebody else's team.
    """
    require_member(session, user, team_id)
    query = own(team_id).order_by(Image.id.desc()).limit(limit)
    return session.scalars(query if after is None else query.where(Image.id < after)).all()
