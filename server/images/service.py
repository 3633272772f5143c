"""Images: taking complete uploads to their check, and what comes of it. The check itself is the caller's."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server import events
from server.accounts.principals import User
from server.database import after_commit
from server.errors import Conflict, NotFound
from server.images.models import Image
from server.teams.service import require_member
from server.uploads.models import Upload, UploadStatus
from server.uploads.service import reject, upload_path

CHECK_LEASE = timedelta(minutes=10)
_CHECKS = 3  # an archive whose check died this often is not tried again


def claim_upload_to_check(session: Session, *, uploads: Path) -> Upload | None:
    """The oldest complete upload nobody checks, leased for ten minutes; None if there is none.

    An upload whose checks never ended is rejected on the way, so that it cannot take checkers down for good.
    """
    while (upload := _next_to_check(session)) is not None:
        if upload.check_no >= _CHECKS:
            message = (
                "The check of this archive did not end. Upload it again, and tell the organizers if it stays."
            )
            _finish_rejected(session, upload, "check_failed", message, uploads=uploads)
            session.flush()
            continue
        upload.check_no += 1
        upload.check_expires_at = func.now() + CHECK_LEASE
        session.flush()
        return upload
    return None


def _next_to_check(session: Session) -> Upload | None:
    free = or_(Upload.check_expires_at.is_(None), Upload.check_expires_at < func.now())
    return session.scalar(
        select(Upload)
        .where(Upload.status == UploadStatus.CHECKING, free)
        .order_by(Upload.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def renew_check(session: Session, upload: Upload) -> None:
    """Ten more minutes for a long check.

    Raises:
        Conflict: the lease was lost to another checker.
    """
    _held(session, upload).check_expires_at = func.now() + CHECK_LEASE


def has_promised_sha256(upload: Upload, *, uploads: Path) -> bool:
    """Whether the bytes are the ones the uploader announced; reads the whole file."""
    with upload_path(uploads, upload.id).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == upload.sha256


def settle_valid(
    session: Session, upload: Upload, facts: Mapping[str, Any], digest: str, *, size: int, uploads: Path
) -> Image:
    """The upload is READY and its image can be submitted; the archive goes after the commit.

    The same image uploaded twice by a team is one image.

    Raises:
        Conflict: the lease was lost to another checker.
    """
    upload = _held(session, upload)
    session.execute(
        insert(Image)
        .values(team_id=upload.team_id, upload_id=upload.id, digest=digest, facts=dict(facts), size=size)
        .on_conflict_do_nothing(index_elements=["team_id", "digest"])
    )
    upload.image = digest
    upload.move_to(UploadStatus.READY)
    events.record(session, "upload", upload.id, actor="platform", what=upload.status, why=digest)
    _remove_after_commit(session, upload, uploads)
    return get_image(session, upload.team_id, digest)


def settle_invalid(session: Session, upload: Upload, code: str, message: str, *, uploads: Path) -> None:
    """The upload is REJECTED; the archive goes after the commit.

    Raises:
        Conflict: the lease was lost to another checker.
    """
    _finish_rejected(session, _held(session, upload), code, message, uploads=uploads)


def settle_wrong_sha256(session: Session, upload: Upload, *, uploads: Path) -> None:
    """Rejects an upload whose bytes are not the announced ones."""
    message = "The bytes received do not have the announced sha256. Upload the archive again."
    settle_invalid(session, upload, "wrong_sha256", message, uploads=uploads)


def get_image(session: Session, team_id: UUID, digest: str) -> Image:
    """A team's image.

    Raises:
        NotFound: the team has none with this digest.
    """
    image = session.scalar(select(Image).where(Image.team_id == team_id, Image.digest == digest))
    if image is None:
        raise NotFound(
            "unknown_image",
            "The team has no image with this digest. Upload its archive first, and take the digest that the "
            "upload shows once it is ready.",
        )
    return image


def list_images(session: Session, user: User, team_id: UUID) -> Sequence[Image]:
    """A team's images, newest first.

    Raises:
        NotFound: somebody else's team.
    """
    require_member(session, user, team_id)
    return session.scalars(select(Image).where(Image.team_id == team_id).order_by(Image.id.desc())).all()


def _held(session: Session, upload: Upload) -> Upload:
    """The upload's row, locked, if `upload` is still the claim that counts."""
    claim = upload.check_no
    row = session.get(Upload, upload.id, with_for_update=True, populate_existing=True)
    if row is None or row.status is not UploadStatus.CHECKING or row.check_no != claim:
        raise Conflict("check_lost", "Another checker took this upload.")
    return row


def _finish_rejected(session: Session, upload: Upload, code: str, message: str, *, uploads: Path) -> None:
    reject(session, upload, code=code, message=message)
    _remove_after_commit(session, upload, uploads)


def _remove_after_commit(session: Session, upload: Upload, uploads: Path) -> None:
    path = upload_path(uploads, upload.id)
    after_commit(session, lambda: path.unlink(missing_ok=True))
