"""How much of the data disk may be taken, for what, and what is said where it may not.

A part of the disk, the reserve, is for what must not fail. Whoever can come again stops first:

    free     uploads            may take what lies above the whole reserve
    │        new work           above three quarters of it: unpacked images, and cases that are given out
    │        results            above a half: outputs and scores, for which somebody has already computed
    ▼        the database       has the rest to itself

The disk is asked before something is written and while it is, for its length may not be known, and others write too.
"""

import os
from enum import Enum
from pathlib import Path

from contract.problems import ErrorCode
from server.errors import StorageFull

FILES_KEPT = 1000
"""So many more files must fit: a disk without inodes is full, whatever number of bytes it has."""
TRY_AGAIN = 300
"""Seconds after which whoever was refused may ask again."""


class Share(Enum):
    """What is written, by the part of the reserve that it leaves alone."""

    UPLOADS = 1.0
    NEW_WORK = 0.75
    RESULTS = 0.5


class Room:
    """The bytes that may still be written below `path`, which need not exist yet, so that `keep` bytes stay free."""

    def __init__(self, path: Path, keep: int) -> None:
        self.path = path
        self.keep = keep

    def left(self) -> int:
        """Bytes that may be taken now; 0 where files do not fit any more."""
        state = os.statvfs(next(folder for folder in (self.path, *self.path.parents) if folder.exists()))
        if state.f_files and state.f_favail < FILES_KEPT:
            return 0
        return max(0, state.f_bavail * state.f_frsize - self.keep)

    def require(self, size: int = 1) -> None:
        """Returns if `size` more bytes may be written.

        Raises:
            StorageFull: they may not.
        """
        left = self.left()
        if size > left:
            raise no_room(size, left)


def no_room(size: int, left: int) -> StorageFull:
    """The problem of bytes that the disk has no room for; it tells apart a full disk and one that is too small."""
    if left >= 2**20:
        detail = f"This needs {gib(size)}, and the server's disk has room for {gib(left)} at present. "
    else:
        detail = "The server's disk is full up to what is kept for running evaluations. "
    return storage_full(
        f"{detail}Nothing that was received is lost; try again later, and tell the organizers if it stays."
    )


def storage_full(detail: str) -> StorageFull:
    """The problem of a disk without room, with its sentence."""
    problem = StorageFull(ErrorCode.STORAGE_FULL, detail)
    problem.headers["Retry-After"] = str(TRY_AGAIN)
    return problem


def gib(size: int) -> str:
    """Bytes for people."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"


def closed(directory: Path) -> Path:
    """The directory, made if need be, which nobody but its owner may enter."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        directory.chmod(0o700)
    return directory
