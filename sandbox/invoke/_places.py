"""Every place that a container which serves several cases can write to, and how it is emptied between them.

Whoever calls this stops the container's processes meanwhile: the tools run as root of this host, by paths, and
would follow a link that takes a folder's or a file's place between two looks.

The root file system of such a container is read-only. What is left are the bounded disks, which this process
mounts too, and file systems in memory, which are reached through the container's first process. A writable mount
of another kind means that we do not know this engine well enough: no case is served then.
"""

import os
import posixpath
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.disks import BoundedDisk

_EMPTY = ("/dev/shm", "/dev/mqueue")  # noqa: S108 - paths inside the container
_LISTED = ("/dev", "/sys/fs/cgroup")
"""File systems in memory that hold what the engine put there; engines of today leave the second one writable."""

_KERNEL = {"proc", "sysfs", "devpts", "cgroup", "cgroup2"}
"""File systems whose files the kernel makes; what may be written there is masked or read-only."""


_SECONDS = 30
"""As long may one tool take for one place; nobody's clock runs meanwhile."""


@dataclass
class WritablePlaces:
    """The writable places of one running container: `pid` is its first process on this host."""

    pid: int
    disks: Mapping[str, BoundedDisk]
    kept: Path
    _listed: dict[str, set[str]] = field(default_factory=dict)

    def remember(self) -> None:
        """Note what is there before the first case, for that is what a case finds.

        Raises:
            OSError: there is a writable place that could not be emptied, whether this engine makes it or the image
                with a VOLUME of an odd name.
        """
        writable = _writable(self.pid)
        if unknown := writable - {*_EMPTY, *_LISTED, *map(posixpath.normpath, self.disks)}:
            raise OSError(
                f"a container that serves several cases could write to {', '.join(sorted(unknown))}"
            )
        for target in writable.intersection(_LISTED):
            with _inside(self.pid, target) as folder:
                self._listed[target] = _names(_path(folder))
        for number, disk in enumerate(self.disks.values()):
            (self.kept / str(number)).mkdir(parents=True)
            _copy(disk.path, self.kept / str(number))

    def empty(self) -> None:
        """Bring every place back to what it was at `remember`.

        Raises:
            OSError: something could not be removed; the container must not serve another case.
        """
        for number, disk in enumerate(self.disks.values()):
            _delete(disk.path)
            _copy(self.kept / str(number), disk.path)
            disk.path.chmod(0o1777)
        for target in _EMPTY:
            with _inside(self.pid, target) as folder:
                _delete(_path(folder), folder)
        for target, names in self._listed.items():
            with _inside(self.pid, target) as folder:
                for name in _names(_path(folder)) - names:
                    _run(["rm", "-rf", "--one-file-system", "--", str(_path(folder) / name)], (folder,))


def _writable(pid: int) -> set[str]:
    """Mount points that this process may write to, but those of the kernel's own file systems."""
    targets = set()
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        target, options = before.split()[4:6]
        kind, _, whole = after.split()[:3]
        read_only = "ro" in options.split(",") or "ro" in whole.split(",")
        if not read_only and kind not in _KERNEL and not _is_device(pid, target):
            targets.add(target)
    return targets


def _is_device(pid: int, target: str) -> bool:
    """A single device that the engine binds in: the terminal, or what masks a file of /proc."""
    path = Path(f"/proc/{pid}/root{target}")
    return path.is_char_device() or target.startswith("/proc/")


@contextmanager
def _inside(pid: int, target: str) -> Iterator[int]:
    """A descriptor of a directory in the container, no part of whose path is a link."""
    folder = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in target.strip("/").split("/"):
            deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = deeper
        yield folder
    finally:
        os.close(folder)


def _copy(source: Path, target: Path) -> None:
    """What the image brought along on a disk, with its owners and modes; most bring nothing."""
    if _names(source):
        _run(["cp", "-a", "--", f"{source}/.", str(target)], ())


def _path(descriptor: int) -> Path:
    """An open directory as a path that needs no further look-up, here and in a child that inherits it."""
    return Path(f"/proc/self/fd/{descriptor}")


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def _delete(folder: Path, *descriptors: int) -> None:
    """Everything in `folder`, however deep and however named."""
    if _names(folder):
        _run(["find", f"{folder}/", "-xdev", "-mindepth", "1", "-delete"], descriptors)


def _run(command: list[str], descriptors: Collection[int]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, pass_fds=tuple(descriptors), timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise OSError("emptying a place took too long") from error
    if done.returncode:
        raise OSError(f"emptying a place failed: {done.stderr.decode(errors='replace')[:500]}")
