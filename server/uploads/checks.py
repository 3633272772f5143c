"""Taking complete uploads to their check, and what comes of it: an image, or why not. The check is the caller's."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, extract, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.images import ImageFacts
from contract.problems import ErrorCode
from contract.statuses import UploadStatus
from server import events
from server.database import after_commit
from server.errors import Conflict
from server.images.models import Image
from server.images.service import get_image
from server.teams.membership import lock_team
from server.uploads.check_turns import next_to_check
from server.uploads.files import upload_path
from server.uploads.models import Upload
from server.uploads.service import reject
from server.uploads.stored import Allowed, require

CHECK_LEASE = timedelta(minutes=10)
CHECK_PAUSE = timedelta(minutes=1)
WITHOUT_ROOM = timedelta(minutes=5)
_WAITS_FOR_ROOM = (
    "The server has no room to unpack this image at present. It is checked as soon as there is, without you."
)
_NO_ROOM = (
    "For a day the server had no room to unpack this image. Tell the organizers, and upload it again later."
)
_CHECKS = 3  # an archive whose check died this often is not tried again


def claim_upload_to_check(
    session: Session, *, uploads: Path, most_per_team: int, left: int = 2**63 - 1
) -> Upload | None:
    """The upload whose turn it is, leased for ten minutes; None if there is none. The caller commits at once.

    Those that were put back wait until the disk has the room they need; `left` bytes are what it has now. An upload
    whose checks never ended is rejected on the way, so that it cannot take checkers down for good.
    """
    while (upload := next_to_check(session, most_per_team=most_per_team, left=left)) is not None:
        if upload.check_lease_until is not None:  # its checker ended without a word
            upload.check_faults += 1
        if upload.check_faults >= _CHECKS:
            message = (
                "The check of this archive did not end. Upload it again, and tell the organizers if it stays."
            )
            _finish_rejected(session, upload, "check_failed", message, uploads=uploads)
            session.flush()
            continue
        upload.check_claim_no += 1
        upload.check_began_at = func.clock_timestamp()
        upload.check_lease_until = func.now() + CHECK_LEASE
        session.flush()
        return upload
    return None


def renew_check(session: Session, upload: Upload) -> None:
    """Ten more minutes for a long check.

    Raises:
        Conflict: the lease was lost to another checker.
    """
    held = _held(session, upload)
    _charge(held)
    held.check_lease_until = func.now() + CHECK_LEASE


def put_back(session: Session, upload: Upload, *, counts: bool = True) -> None:
    """A check that came to no end is tried again in a minute; `counts`: it may have been the archive's doing.

    Raises:
        Conflict: the lease was lost to another checker.
    """
    held = _held(session, upload)
    held.check_faults += counts
    _let_go(held, func.now() + CHECK_PAUSE)


def _let_go(held: Upload, not_before: ColumnElement[datetime]) -> None:
    """Ends a lease; the next check begins no earlier."""
    _charge(held)
    held.check_began_at = held.check_lease_until = None
    held.check_not_before = not_before


def _charge(held: Upload) -> None:
    """What the check took since its beginning, or since this was last noted, counts when turns are given."""
    since = extract("epoch", func.clock_timestamp() - Upload.check_began_at)
    held.check_seconds = Upload.check_seconds + func.greatest(func.coalesce(since, 0), 0)
    held.check_began_at = func.clock_timestamp()


def wait_for_room(session: Session, upload: Upload, *, needs: int, uploads: Path) -> None:
    """The disk had no room for what a check unpacks: it waits for `needs` bytes, a day at most, and no try is counted.

    The pauses differ, so that two that do not fit at once are not tried together again and again.

    Raises:
        Conflict: the lease was lost to another checker.
    """
    upload = _held(session, upload)
    if session.scalar(select(func.now() > upload.expires_at)):
        _finish_rejected(session, upload, "storage_full", _NO_ROOM, uploads=uploads)
        return
    _let_go(upload, func.now() + WITHOUT_ROOM * (0.5 + func.random()))
    upload.check_needs = needs
    upload.code, upload.message = "storage_full", _WAITS_FOR_ROOM


def has_promised_sha256(upload: Upload, *, uploads: Path) -> bool:
    """Whether the bytes are the ones the uploader announced; reads the whole file."""
    with upload_path(uploads, upload.id).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == upload.sha256


def settle_valid(
    session: Session,
    upload: Upload,
    facts: ImageFacts,
    *,
    uploads: Path,
    allowed: Allowed,
) -> Image:
    """The upload is READY and its image can be submitted; the archive goes after the commit.

    The same image uploaded twice by a team is one image, also if it was removed meanwhile; what the newest check found
    of it is kept.

    Raises:
        Conflict: the lease was lost to another checker.
        StorageFull: the team, or all together, would store more than they may; nothing is changed.
    """
    lock_team(session, upload.team_id)  # before its image, as a submission does: neither waits for the other
    upload = _held(session, upload)
    new = insert(Image).values(
        team_id=upload.team_id, upload_id=upload.id, digest=facts.digest, facts=facts, size=facts.size
    )
    session.execute(
        new.on_conflict_do_update(
            index_elements=["team_id", "digest"], set_={"removed_at": None, "facts": facts}
        )
    )
    upload.image = facts.digest
    upload.code = upload.message = None
    _charge(upload)
    upload.move_to(session, UploadStatus.READY, actor=events.PLATFORM, why=facts.digest)
    session.flush()
    require(session, upload.team_id, 0, allowed)
    _remove_after_commit(session, upload, uploads)
    return get_image(session, upload.team_id, facts.digest)


def settle_invalid(session: Session, upload: Upload, code: str, message: str, *, uploads: Path) -> None:
    """The upload is REJECTED; the archive goes after the commit.

    Raises:
        Conflict: the lease was lost to another checker.
    """
    held = _held(session, upload)
    _charge(held)
    _finish_rejected(session, held, code, message, uploads=uploads)


def settle_wrong_sha256(session: Session, upload: Upload, *, uploads: Path) -> None:
    """Rejects an upload whose bytes are not the announced ones."""
    message = "The bytes received do not have the announced sha256. Upload the archive again."
    settle_invalid(session, upload, "wrong_sha256", message, uploads=uploads)


def _held(session: Session, upload: Upload) -> Upload:
    """The upload's row, locked, if `upload` is still the claim that counts."""
    claim_no = upload.check_claim_no
    row = session.get(Upload, upload.id, with_for_update=True, populate_existing=True)
    if row is None or row.status is not UploadStatus.CHECKING or row.check_claim_no != claim_no:
        raise Conflict(ErrorCode.CHECK_LOST, "Another checker took this upload.")
    return row


def _finish_rejected(session: Session, upload: Upload, code: str, message: str, *, uploads: Path) -> None:
    reject(session, upload, code=code, message=message)
    _remove_after_commit(session, upload, uploads)


def _remove_after_commit(session: Session, upload: Upload, uploads: Path) -> None:
    path = upload_path(uploads, upload.id)
    after_commit(session, lambda: path.unlink(missing_ok=True))
