"""Whose bytes come first where the disk has no room for all uploads together."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import UploadId
from contract.statuses import UploadStatus
from server.disk import Room, gib, no_room, storage_full
from server.uploads.models import Upload

WINDOW = 64 * 2**20  # bytes that come between two looks at the disk
STEADY = timedelta(minutes=10)  # who has sent nothing for so long has to wait for room like anybody else


def require_room(session: Session, size: int, *, room: Room, before: UploadId | None = None) -> None:
    """Returns if the disk has room for `size` bytes that are to come, beside what uploads that came earlier still get.

    Of an upload that has begun the next `WINDOW` bytes have to fit. Of each earlier one that is steadily coming in as
    much counts as it has sent already, and no more than it has left: it costs as many bytes to hold room as it holds.
    So of many uploads that do not fit together, those that began first get through, and one that announces much and
    sends nothing is in nobody's way.

    before: the upload that asks; without one every other came earlier.

    Raises:
        StorageFull: it has not.
    """
    steady = Upload.status == UploadStatus.RECEIVING, Upload.updated_at > func.now() - STEADY
    earlier = () if before is None else (Upload.id < before,)
    coming = func.sum(func.least(Upload.offset, Upload.length - Upload.offset))
    held = int(session.scalar(select(func.coalesce(coming, 0)).where(*steady, *earlier)) or 0)
    next_ = size if before is None else min(size, WINDOW)
    left = room.left()
    if next_ > left:
        raise no_room(size, left)
    if next_ + held > left:
        raise storage_full(
            f"The server's disk has room for {gib(left)}, which uploads that began earlier are taking at present. "
            "What was received is kept; go on in a few minutes."
        )


def require_turn(session: Session, upload_id: UploadId, *, room: Room) -> None:
    """Returns if an upload may go on while it comes, as it had to be when its request began.

    Raises:
        StorageFull: the disk has no room for more, or only for uploads that came earlier.
    """
    upload = session.get_one(Upload, upload_id)
    if upload.status is UploadStatus.RECEIVING:
        require_room(session, upload.length - upload.offset, room=room, before=upload_id)
