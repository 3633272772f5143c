"""Uploads: creating, resuming, ending. The bytes themselves are written by `server.uploads.receive`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.agreements import Before
from contract.ids import TeamId, UploadId
from contract.problems import ErrorCode
from contract.statuses import UploadStatus
from server import events, moves
from server.accounts.principals import User
from server.accounts.service import require_scope
from server.agreements.service import require_accepted
from server.database import after_commit
from server.disk import Room
from server.errors import BadRequest, Conflict, Gone, NotFound, TooLarge
from server.teams.membership import may_see, require_member
from server.teams.models import Team
from server.teams.service import require_part
from server.uploads import stored
from server.uploads.files import closed_on_error, open_locked, remove, upload_path
from server.uploads.models import Upload
from server.uploads.stored import Allowed
from server.uploads.turns import require_room

UNFINISHED_PER_TEAM = 8
LASTS = timedelta(hours=24)  # since the last byte
LASTS_IN_ALL = timedelta(days=7)  # however often a byte comes
_OVER = "No byte came for a day, or it was not complete after a week. Begin a new upload."
_NOT_FETCHED = (
    "For a day this could not be fetched from the registry, which is not your image's fault. Push it again, and tell "
    "the organizers if it stays."
)


@dataclass(frozen=True)
class Incoming:
    """An upload that this process, and nobody else, may append to until `file` is closed."""

    id: UploadId
    actor: str
    offset: int
    length: int
    file: BinaryIO
    room: Room


def create_upload(
    session: Session,
    user: User,
    team: Team,
    *,
    length: int,
    sha256: str,
    filename: str | None,
    limit: int,
    room: Room,
    allowed: Allowed,
) -> Upload:
    """A new upload of `length` bytes for a team the user may act for.

    The disk has to have room for it now. What others only announced counts for nothing, and nothing is kept free for
    this one either: bytes count once they are there, see `server.uploads.turns`.

    Raises:
        BadRequest, TooLarge: nothing, or more than `limit` bytes.
        Forbidden: the team is disqualified, or the user has not accepted what is needed to submit.
        Conflict: the team has too many uploads that are unfinished or not checked, or images.
        StorageFull: the disk has no room for it, or the team or the installation may store no more.
    """
    require_scope(user, Scope.SUBMIT)
    require_part(team)
    require_accepted(session, user, team.challenge_id, before=Before.SUBMISSION)
    if length < 1:
        raise BadRequest(
            ErrorCode.EMPTY_UPLOAD, "Upload-Length must be at least 1: the archive's size in bytes."
        )
    if length > limit:
        raise TooLarge(
            ErrorCode.UPLOAD_TOO_LARGE,
            f"{length} bytes are more than the {limit} allowed. Make the image smaller.",
            limit=limit,
        )
    _require_few_unfinished(session, team)
    stored.require(session, team.id, length, allowed)
    require_room(session, length, room=room)
    upload = Upload(
        team_id=team.id,
        user_id=user.id,
        filename=filename,
        sha256=sha256,
        length=length,
        expires_at=func.now() + LASTS,
    )
    session.add(upload)
    session.flush()
    session.refresh(upload)
    moves.begin(session, "upload", upload.id, upload.status, actor=user.actor)
    return upload


def _require_few_unfinished(session: Session, team: Team) -> None:
    # Creations of one team queue behind its row, so that two at once do not both take the last place.
    session.scalar(select(Team.id).where(Team.id == team.id).with_for_update(key_share=True))
    receiving, checking = (
        session.scalar(select(func.count()).where(Upload.team_id == team.id, state)) or 0
        for state in (
            (Upload.status == UploadStatus.RECEIVING) & (Upload.expires_at > func.now()),
            Upload.status == UploadStatus.CHECKING,
        )
    )
    if receiving + checking >= UNFINISHED_PER_TEAM:
        raise Conflict(
            ErrorCode.TOO_MANY_UPLOADS,
            f"The team has {receiving} unfinished uploads and {checking} whose check has not ended, and may have "
            f"{UNFINISHED_PER_TEAM} together. Finish one, end one with DELETE, or wait for a check.",
        )


def get_upload(session: Session, user: User, upload_id: UploadId) -> Upload:
    """An upload of one of the user's teams.

    Raises:
        NotFound: no such upload, or another team's.
    """
    upload = session.get(Upload, upload_id)
    if upload is None or not may_see(session, user, upload.team_id):
        raise unknown_upload()
    return upload


def unknown_upload() -> NotFound:
    """The problem of an upload that is not there, or not for this asker."""
    return NotFound(
        ErrorCode.UNKNOWN_UPLOAD, "There is no such upload, or it is another team's. Begin a new one."
    )


def resumable(session: Session, user: User, upload_id: UploadId) -> Upload:
    """An upload whose offset is worth telling.

    Raises:
        NotFound: as `get_upload`.
        Gone: it ran out.
    """
    upload = get_upload(session, user, upload_id)
    _require_unexpired(session, upload)
    return upload


def list_uploads(session: Session, user: User, team_id: TeamId) -> Sequence[Upload]:
    """A team's uploads, newest first."""
    require_member(session, user, team_id)
    return session.scalars(
        select(Upload).where(Upload.team_id == team_id).order_by(Upload.id.desc()).limit(100)
    ).all()


def begin(
    session: Session, user: User, upload_id: UploadId, *, offset: int, uploads: Path, room: Room
) -> Incoming:
    """The upload, opened for appending at `offset`; the file's lock ends with its process at the latest.

    Raises:
        NotFound, Gone: no such upload; it ran out.
        Locked: another request is writing to it.
        Conflict: it is complete, or was pushed, or `offset` is not where it stands.
        StorageFull: the disk has no room for more, or only for uploads that came earlier.
    """
    require_scope(user, Scope.SUBMIT)
    upload = get_upload(session, user, upload_id)
    _require_sent(upload)
    _require_at(session, upload, offset)
    file = open_locked(uploads, upload_id)
    with closed_on_error(file):
        upload = _read_again(session, upload_id, uploads=uploads)
        _require_at(session, upload, offset)
        require_room(session, upload.length - offset, room=room, before=upload.id)
        # Bytes behind the offset came without being acknowledged: they are sent again.
        file.truncate(offset)
        file.seek(offset)
    return Incoming(
        id=upload.id, actor=user.actor, offset=upload.offset, length=upload.length, file=file, room=room
    )


def _read_again(session: Session, upload_id: UploadId, *, uploads: Path) -> Upload:
    """The row behind the lock: whoever held it before may have moved the offset, or ended the upload."""
    upload = session.get(Upload, upload_id, populate_existing=True)
    if upload is None:
        upload_path(uploads, upload_id).unlink(missing_ok=True)  # opening made it anew
        raise unknown_upload()
    return upload


def _require_at(session: Session, upload: Upload, offset: int) -> None:
    if upload.status is not UploadStatus.RECEIVING:
        _require_unexpired(session, upload)
        raise Conflict(
            ErrorCode.UPLOAD_COMPLETE, "All bytes of this upload are here. GET it to see what came of it."
        )
    _require_unexpired(session, upload)
    if upload.offset != offset:
        raise Conflict(
            ErrorCode.WRONG_OFFSET,
            f"The upload stands at byte {upload.offset}, not {offset}. Resume there.",
            offset=upload.offset,
        )


def _require_unexpired(session: Session, upload: Upload) -> None:
    over = upload.status is UploadStatus.RECEIVING and session.scalar(select(func.now() >= upload.expires_at))
    if over or upload.code == "upload_expired":
        raise Gone(ErrorCode.UPLOAD_EXPIRED, "This upload ran out. Begin a new one.")


def save_offset(
    session: Session, upload_id: UploadId, offset: int, *, actor: str, on_complete: Callable[[], None]
) -> None:
    """Notes that the first `offset` bytes are on the disk; with the last one the check is due."""
    upload = session.get_one(Upload, upload_id, with_for_update=True)
    if upload.status is not UploadStatus.RECEIVING:
        return
    upload.offset = offset
    upload.expires_at = func.least(func.now() + LASTS, upload.created_at + LASTS_IN_ALL)
    if offset == upload.length:
        upload.move_to(session, UploadStatus.CHECKING, actor=actor)
        after_commit(session, on_complete)


def terminate(session: Session, user: User, upload_id: UploadId, *, uploads: Path) -> None:
    """Ends an unfinished upload and forgets it.

    Raises:
        NotFound: no such upload.
        Conflict: it is complete, or was pushed.
        Locked: a request is writing to it.
    """
    require_scope(user, Scope.SUBMIT)
    upload = get_upload(session, user, upload_id)
    _require_sent(upload)
    _require_endable(upload)
    file = open_locked(uploads, upload_id)
    with closed_on_error(file):
        upload = _read_again(session, upload_id, uploads=uploads)
        _require_endable(upload)
        session.delete(upload)
        events.record(session, "upload", upload_id, actor=user.actor, what="terminated")
        session.flush()
    after_commit(session, lambda: remove(file, upload_path(uploads, upload_id)))


def _require_sent(upload: Upload) -> None:
    if upload.pushed is not None:
        raise Conflict(
            ErrorCode.UPLOAD_PUSHED,
            "This image was pushed to the registry, and the server fetches it from there. GET the upload to see how "
            "far it is.",
        )


def _require_endable(upload: Upload) -> None:
    if upload.status is not UploadStatus.RECEIVING:
        raise Conflict(ErrorCode.UPLOAD_COMPLETE, "This upload is complete, so there is nothing to end.")


def expire_uploads(session: Session, *, uploads: Path) -> int:
    """Rejects uploads that ran out and removes their bytes after the commit; returns how many."""
    over = session.scalars(
        select(Upload)
        .where(Upload.status == UploadStatus.RECEIVING, Upload.expires_at < func.now())
        .with_for_update(skip_locked=True)
    ).all()
    for upload in over:
        message = _OVER if upload.pushed is None else _NOT_FETCHED
        reject(session, upload, code="upload_expired", message=message)
        upload.let_go()
        after_commit(session, partial(upload_path(uploads, upload.id).unlink, missing_ok=True))
    return len(over)


def reject(session: Session, upload: Upload, *, code: str, message: str) -> None:
    """Moves an upload to REJECTED with its reason."""
    upload.move_to(session, UploadStatus.REJECTED, actor=events.PLATFORM, code=code)
    upload.code, upload.message = code, message
