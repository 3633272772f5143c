"""How full a container's /dev/shm was when it ended: what no exit code tells, and no log where a program is killed."""

import os
from types import TracebackType
from typing import Self

_LEAST_FREE = 64 * 2**10


class SharedMemory:
    """The shared memory of the container whose first process is `pid`; 0 where this process cannot see it.

    A context manager. Its file system, which is memory of the host, outlives the container until this ends.
    """

    def __init__(self, pid: int) -> None:
        self._folder: int | None = None
        if pid:
            self._folder = _opened(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def full(self) -> bool:
        """Whether nothing more fits; False where it cannot be seen."""
        if self._folder is None:
            return False
        state = os.fstatvfs(self._folder)
        return state.f_blocks > 0 and state.f_bavail * state.f_frsize <= _LEAST_FREE


def _opened(pid: int) -> int | None:
    """A descriptor of /dev/shm in the container, no part of whose path is a link; None where there is none."""
    try:
        folder = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    for name in ("dev", "shm"):
        try:
            deeper = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return None
        finally:
            os.close(folder)
        folder = deeper
    return folder
