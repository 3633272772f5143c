"""Opens what a stranger's program left at the output path, without following or waking anything."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from evaluator.outputs._result import InvalidOutput
from evaluator.verdicts import Check

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_ABSENT = {errno.ENOENT, errno.ENOTDIR}


@contextmanager
def opened(path: Path, suffix: str) -> Iterator[tuple[BinaryIO, int]]:
    """The regular file at `path` and its size in bytes.

    Raises:
        InvalidOutput: there is none, or it is a link, FIFO, socket, device, directory or has several names.
    """
    try:
        # Before opening, because opening a device can have effects; the open file is then looked at again.
        _must_be_regular(os.lstat(path))
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise _why_not(error, path, suffix) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        _must_be_regular(status)
        yield file, status.st_size


def read_small(path: Path, suffix: str, limit: int) -> bytes:
    """The whole content of the output file.

    Raises:
        InvalidOutput: it cannot be opened, or holds more than `limit` bytes.
    """
    with opened(path, suffix) as (file, size):
        content = file.read(limit + 1) if size <= limit else b""
    if size > limit or len(content) > limit:
        raise InvalidOutput(
            Check.TOO_LARGE, f"The output file is larger than {limit} bytes.", f"{size} bytes"
        )
    return content


def doubled_suffix(path: Path, suffix: str) -> Path | None:
    """The file beside a missing output to whose name a library appended the suffix once more, if there is."""
    doubled = path.with_name(path.name + suffix)
    return doubled if path.name.endswith(suffix) and os.path.lexists(doubled) else None


def _must_be_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidOutput(Check.NOT_A_REGULAR_FILE, f"The output file is {_kind(status.st_mode)}.")
    if status.st_nlink != 1:
        raise InvalidOutput(
            Check.NOT_A_REGULAR_FILE, "The output file has more than one name (it is a hard link)."
        )


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "a symbolic link, which is not followed"),
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((text for matches, text in kinds if matches(mode)), "a device")


def _why_not(error: OSError, path: Path, suffix: str) -> InvalidOutput:
    if error.errno in _ABSENT:
        message, found = "There is no file at the --output path.", doubled_suffix(path, suffix)
        if found is None:
            return InvalidOutput(Check.MISSING, message)
        hint = f"{message} But we found a file ending in {suffix}{suffix}: its writer appends the suffix."
        return InvalidOutput(Check.MISSING, hint, f"found {found.name}")
    if error.errno == errno.ELOOP:
        return InvalidOutput(
            Check.NOT_A_REGULAR_FILE, "The output file is a symbolic link, which is not followed."
        )
    return InvalidOutput(
        Check.NOT_A_REGULAR_FILE, "The output file cannot be opened.", os.strerror(error.errno or 0)
    )
