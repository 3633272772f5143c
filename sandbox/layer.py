"""How much a container has written outside its bounded disks: the size of its writable layer.

Where the layer's directory can be read its files are added up; elsewhere the engine is asked to do so. Both
look only now and then, so a fast writer can go over the limit by what it writes in between. Files that were
deleted but are still open or mapped are found through the processes that hold them.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sandbox.engine import Engine, translate
from sandbox.engines import ContainerState

_BLOCK = 512
_MANY_FILES = 1_000_000
_DELETED = b" (deleted)\n"
_BUSY_SHARE = 10  # looking may take a tenth of the time at most


class Layer:
    """The writable layer of one container."""

    def __init__(self, engine: Engine, container: ContainerState, limit: int) -> None:
        self._engine = engine
        self._id = container.id
        self._pid = container.pid
        self._limit = limit
        self._upper = _readable(container.upper) if engine.privileged else None
        self._beside = container.beside
        self._pause = 0.5 if self._upper else 2.0
        self._next = 0.0
        self.used = 0

    def look(self, *, now: bool = False) -> int:
        """Bytes in the layer, measured again when it is time to (or `now`)."""
        if now or time.monotonic() >= self._next:
            started = time.monotonic()
            self.used = self._measure()
            took = time.monotonic() - started
            self._next = time.monotonic() + max(self._pause, took * _BUSY_SHARE)
        return self.used

    def _measure(self) -> int:
        if self._upper is None:
            with translate("measuring a container"):
                return self._engine.raw.written(self._id)
        beside = sum(map(_size, self._beside))
        return _tree_size(self._upper, self._limit) + beside + _deleted(self._pid, self._upper)


def _readable(upper: Path | None) -> Path | None:
    return upper if upper is not None and os.access(upper, os.R_OK | os.X_OK) else None


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.lstat().st_blocks * _BLOCK
    return 0


def _tree_size(top: Path, limit: int) -> int:
    """Bytes of disk below `top`; stops early once `limit` or the bound on the number of files is passed.

    A tree so deep that no path reaches its end counts as over the limit: anything could be hidden there.
    """
    total = 0
    try:
        for count, entry in enumerate(_walk(top)):
            with _vanishing():
                total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
            if total > limit:
                break
            if count > _MANY_FILES:
                return limit + 1
    except _TooDeep:
        return limit + 1
    return total


class _TooDeep(Exception):
    """A path is longer than any that the kernel takes."""


@contextlib.contextmanager
def _vanishing() -> Iterator[None]:
    """Files and folders may be removed while they are looked at."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise _TooDeep from None


def _walk(top: Path) -> Iterator["os.DirEntry[str]"]:
    pending = [str(top)]
    while pending:
        with _vanishing(), os.scandir(pending.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def _deleted(pid: int, upper: Path) -> int:
    """Bytes of deleted files in the layer that the container's processes still hold open or mapped."""
    try:  # shared memory and our disks have other devices; what is mapped may have that of the layer's own directory
        devices = {Path(f"/proc/{pid}/root/").stat().st_dev, upper.stat().st_dev}
    except OSError:
        return 0
    sizes: dict[int, int] = {}
    for process in _same_namespace(pid):
        for state in _held(process):
            if state.st_nlink == 0 and state.st_dev in devices:
                sizes[state.st_ino] = state.st_blocks * _BLOCK
    return sum(sizes.values())


def _held(process: Path) -> Iterator[os.stat_result]:
    """The open files of a process and the deleted ones it has mapped, as far as they are still there."""
    paths: list[Path] = []
    with contextlib.suppress(OSError):
        paths += (process / "fd").iterdir()
    with contextlib.suppress(OSError), (process / "maps").open("rb") as lines:
        paths += [
            process / "map_files" / os.fsdecode(line.split()[0]) for line in lines if line.endswith(_DELETED)
        ]
    for path in paths:
        with contextlib.suppress(OSError):
            yield path.stat()


def _same_namespace(pid: int) -> Iterator[Path]:
    try:
        wanted = Path(f"/proc/{pid}/ns/pid").readlink()
    except OSError:
        return
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "ns/pid").readlink() == wanted:
                yield process
