"""Whether a file of the kernel has changed: known as well when it is gone before anybody looks.

The kernel counts in a file of a control group how often it refused it a process, and says that the file has changed.
That notice stays in a queue of this process, however busy the host is and however soon the container ends. Linux 6.11
and later say nothing of groups of version 1, but keep the peaks of their parents.
"""

import contextlib
import ctypes
import functools
import os
from pathlib import Path

_IN_MODIFY = 2


class Notices:
    """Notices of changes to one file; none where there is no such file, or the kernel has no queue to give."""

    def __init__(self, file: Path) -> None:
        self._seen = False
        self._queue: int | None = None
        queue = _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if queue < 0:
            return
        if _libc().inotify_add_watch(queue, os.fsencode(file), _IN_MODIFY) < 0:
            os.close(queue)
            return
        self._queue = queue

    def seen(self) -> bool:
        """Whether there has been a notice since this was made."""
        if self._queue is not None:
            with contextlib.suppress(BlockingIOError):
                while data := os.read(self._queue, 4096):
                    self._seen = self._seen or _is_modified(data)
        return self._seen

    def close(self) -> None:
        """Give the queue back."""
        if self._queue is not None:
            os.close(self._queue)
            self._queue = None


def _is_modified(data: bytes) -> bool:
    """Whether one of these events is a change; each is four numbers, the second its mask, and a name of that length."""
    at = 0
    while at < len(data):
        mask, length = (int.from_bytes(data[at + offset : at + offset + 4], "little") for offset in (4, 12))
        if mask & _IN_MODIFY:
            return True
        at += 16 + length
    return False


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
