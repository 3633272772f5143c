"""The file that an upload's bytes lie in: where it is, and whose turn it is to write to it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from contract.ids import UploadId
from contract.problems import ErrorCode
from server.disk import closed
from server.uploads.problems import Locked


def upload_path(uploads: Path, upload_id: UploadId) -> Path:
    """Where an upload's bytes lie."""
    return uploads / str(upload_id)


def open_locked(uploads: Path, upload_id: UploadId) -> BinaryIO:
    """The upload's file, made if it is not there, which nobody else may write to until it is closed.

    Raises:
        Locked: another request is writing to it.
    """
    handle = os.open(upload_path(closed(uploads), upload_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Locked(
            ErrorCode.UPLOAD_LOCKED,
            "Another request is writing to this upload. Wait a moment, ask for the offset, resume there.",
        ) from None
    return os.fdopen(handle, "r+b", buffering=0)


@contextmanager
def closed_on_error(file: BinaryIO) -> Iterator[None]:
    """Closes the file where what is inside fails; else it stays open."""
    try:
        yield
    except BaseException:
        file.close()
        raise


def remove(file: BinaryIO, path: Path) -> None:
    """Removes the file, whose lock is held until it is gone."""
    path.unlink(missing_ok=True)
    file.close()
