"""Pushed uploads whose archive is to be made of what lies in the registry: whose turn it is, and what came of it."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from contract.statuses import UploadStatus
from server import events
from server.database import after_commit
from server.disk import Room
from server.errors import Conflict
from server.registry.service import Repository, image_there
from server.uploads import stored
from server.uploads.files import upload_path
from server.uploads.models import Upload
from server.uploads.service import reject
from server.uploads.stored import Allowed
from server.uploads.turns import require_room

LEASE = timedelta(minutes=10)
PAUSE = timedelta(minutes=1)
_LOCK = 0x70726F66657463  # any number: all who choose a push ask for the same
_WAITS = and_(
    Upload.status == UploadStatus.RECEIVING,
    Upload.pushed.is_not(None),
    Upload.expires_at > func.now(),
    or_(Upload.check_lease_until.is_(None), Upload.check_lease_until < func.now()),
    or_(Upload.check_not_before.is_(None), Upload.check_not_before <= func.now()),
)


def claim(session: Session) -> Upload | None:
    """The push whose turn it is, leased for ten minutes; None if none waits. The caller commits at once.

    It is one of the team of which none was fetched for the longest time, so that many pushes of one team delay
    another's by one; of that team's the one that has waited longest. One worker chooses at a time, so that two do not
    both choose without the other.
    """
    session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    served = (
        select(Upload.team_id, func.max(Upload.fetch_began_at).label("at"))
        .where(Upload.pushed.is_not(None), Upload.team_id.in_(select(Upload.team_id).where(_WAITS)))
        .group_by(Upload.team_id)
        .subquery()
    )
    upload = session.scalar(
        select(Upload)
        .join(served, served.c.team_id == Upload.team_id)
        .where(_WAITS)
        .order_by(served.c.at.nulls_first(), Upload.check_not_before.nulls_first(), Upload.id)
        .limit(1)
        .with_for_update(of=Upload, skip_locked=True)
    )
    if upload is not None:
        upload.check_claim_no += 1
        upload.fetch_began_at = func.clock_timestamp()
        upload.check_lease_until = func.now() + LEASE
        session.flush()
        session.refresh(upload)
    return upload


def renew(session: Session, upload: Upload) -> None:
    """Ten more minutes.

    Raises:
        Conflict: another worker took it.
    """
    _held(session, upload).check_lease_until = func.now() + LEASE


def require(session: Session, upload: Upload, size: int, allowed: Allowed, room: Room) -> None:
    """The archive will be `size` bytes: they count for the team from now on, and the disk has room for them.

    Raises:
        Conflict: another worker took the upload, or the team has too many images.
        StorageFull: the team may not store so much, or the disk has no room for it.
    """
    held = _held(session, upload)
    stored.require(session, held.team_id, size - held.length, allowed)
    require_room(session, size, room=room)
    held.length = size


def came(session: Session, upload: Upload, *, length: int, sha256: str) -> None:
    """The archive is whole and on the disk: its check is due.

    Raises:
        Conflict: another worker took the upload.
    """
    held = _held(session, upload)
    held.length = held.offset = length
    held.sha256 = sha256
    held.check_claim_no += 1
    _let_go(held)
    held.move_to(session, UploadStatus.CHECKING, actor=events.PLATFORM)


def known(session: Session, upload: Upload) -> str | None:
    """The image that the same manifest has become already: the upload is READY with it. None where there is none.

    Raises:
        Conflict: another worker took the upload.
    """
    held = _held(session, upload)
    image = image_there(session, held.team_id, held.pushed or "")
    if image is not None:
        held.image = image
        _let_go(held)
        held.move_to(session, UploadStatus.CHECKING, actor=events.PLATFORM)
        held.move_to(session, UploadStatus.READY, actor=events.PLATFORM, why=image)
    return image


def wait(session: Session, upload: Upload, code: str, why: str) -> None:
    """It is tried again in a minute, for a day; `why` is what its team reads meanwhile.

    Raises:
        Conflict: another worker took the upload.
    """
    held = _held(session, upload)
    held.check_lease_until = None
    held.check_not_before = func.now() + PAUSE
    held.code, held.message = code, why


def refuse(session: Session, upload: Upload, code: str, why: str, *, uploads: Path) -> None:
    """No archive can be made of what was pushed; no image comes of it.

    Raises:
        Conflict: another worker took the upload.
    """
    held = _held(session, upload)
    _let_go(held)
    reject(session, held, code=code, message=why)
    path = upload_path(uploads, held.id)
    after_commit(session, lambda: path.unlink(missing_ok=True))


def is_awaited(session: Session, upload: Upload) -> bool:
    """Whether the same manifest is still to be fetched from the same name, as for a push under another tag."""
    others = select(Upload.id).where(
        Upload.pushed_to == upload.pushed_to,
        Upload.pushed == upload.pushed,
        Upload.id != upload.id,
        Upload.status == UploadStatus.RECEIVING,
        Upload.expires_at > func.now(),
    )
    return session.scalar(select(others.exists())) or False


def source(upload: Upload) -> tuple[Repository, str]:
    """The repository of a pushed upload, and its manifest's digest."""
    name, _, digest = (upload.pushed or "").rpartition("@")
    return Repository(upload.pushed_to or upload.team_id, name), digest


def _let_go(held: Upload) -> None:
    """Nothing is to be fetched for it any more."""
    held.check_lease_until = held.check_not_before = None
    held.code = held.message = None
    held.let_go()


def _held(session: Session, upload: Upload) -> Upload:
    row = session.get(Upload, upload.id, with_for_update=True, populate_existing=True)
    if row is None or row.status is not UploadStatus.RECEIVING or row.check_claim_no != upload.check_claim_no:
        raise Conflict(ErrorCode.CHECK_LOST, "Another worker took this upload.")
    return row
