"""What a team stores, and taking an image from it."""

from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import TeamId
from contract.problems import ErrorCode
from server import events
from server.accounts.principals import User
from server.accounts.service import require_scope
from server.challenges.models import Challenge
from server.database import after_commit
from server.errors import Conflict
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import NOT_KEPT
from server.images.models import Image
from server.images.service import own, unknown_image
from server.settings import Settings
from server.teams.membership import require_member
from server.uploads.stored import Allowed, Stored, stored


def get_storage(
    session: Session, user: User, team_id: TeamId, *, settings: Settings
) -> tuple[Stored, Allowed]:
    """What a team stores, and may store.

    Raises:
        NotFound: somebody else's team.
    """
    team = require_member(session, user, team_id)
    spec = session.get_one(Challenge, team.challenge_id).spec
    return stored(session, team_id), Allowed.by(settings, spec)


def remove_image(
    session: Session, user: User, team_id: TeamId, digest: str, *, discard: Callable[[list[str]], None]
) -> None:
    """Takes an image from its team, and after the commit calls `discard` with its blobs, which others may have too.

    Raises:
        NotFound: somebody else's team, or it has no such image.
        Conflict: an evaluation of it is under way, or scored or errored and could be looked into or run again.
    """
    require_scope(user, Scope.SUBMIT)
    require_member(session, user, team_id)
    with_digest = own(team_id).where(Image.digest == digest)
    image = session.scalar(with_digest.with_for_update(), execution_options={"populate_existing": True})
    if image is None:
        raise unknown_image()
    needed = select(Evaluation.status, COUNTS.label("counts")).where(
        Evaluation.image_id == image.id, Evaluation.status.not_in(NOT_KEPT)
    )
    kept = session.execute(needed.order_by(COUNTS.desc()).limit(1)).one_or_none()
    if kept is not None:
        # What organizers have made anew beside it is theirs to tell.
        raise Conflict(
            ErrorCode.IMAGE_IN_USE,
            f"An evaluation of this image is {kept.status if kept.counts else 'kept'}. Images of evaluations that are "
            "under way, scored or errored are kept, so that they can be run again; others can be removed.",
        )
    image.removed_at = func.now()
    events.record(session, "image", image.id, actor=user.actor, what="removed", why=digest)
    blobs = list(image.facts.blobs)
    after_commit(session, lambda: discard(blobs))
