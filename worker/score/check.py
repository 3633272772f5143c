"""Checking an upload in a child process: archives are strangers' data, so they are read under limits."""

import json
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from sandbox.archive import ArchiveInvalid, Bounds, Call, ImageFacts, ToolMissing
from server.blobs import BlobStore

MEMORY = 4 * 2**30
_SECONDS, _BYTES_PER_SECOND = 120, 10 * 2**20
_MARGIN = 16 * 2**20
_PATIENCE = 20
"""How many times its processor time a check may take by the clock, on a busy machine or a slow disk."""


class CheckEnded(Exception):  # noqa: N818 - says what holds
    """The check had used up its processor time, or the clock's, before it knew; `seconds` is how much it had."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the check was ended after {seconds} s of processor time")
        self.seconds = seconds


class NoRoom(Exception):  # noqa: N818 - says what holds
    """The disk had no room for what the check unpacks; with `needs` bytes of room it may be tried again."""

    def __init__(self, needs: int) -> None:
        super().__init__(f"the check found no room on the disk; it needs {needs} bytes or more")
        self.needs = needs


def allowance(size: int, limit: int) -> int:
    """Seconds of processor time for an upload of `size` bytes, which may unpack to `limit` bytes."""
    bounds = Bounds()
    unpacked = min(limit, bounds.free + bounds.ratio * size)
    return _SECONDS + (size + unpacked) // _BYTES_PER_SECOND


def check(
    path: Path, *, limit: int, blobs: BlobStore, calls: Collection[Call], seconds: int | None = None
) -> ImageFacts:
    """`check_archive` in a process of its own, with bounded memory and time.

    Raises:
        ArchiveInvalid, ToolMissing: as `check_archive` does.
        CheckEnded: it took more than `seconds`, by default as many as its size gives reason for.
        NoRoom: the room of `blobs` is used up.
        OSError: the child failed otherwise: its disk, its memory.
    """
    seconds = seconds or allowance(path.stat().st_size, limit)
    request = {"path": str(path.absolute()), "limit": limit, "blobs": str(blobs.root.absolute())}
    request |= {"calls": [None if call is None else [*call] for call in calls]}
    request |= {"seconds": seconds, "memory": MEMORY, "keep": blobs.room.keep if blobs.room else 0}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "worker.score.check_child"],
            input=json.dumps(request).encode(),
            capture_output=True,
            env=environment,
            timeout=seconds * _PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CheckEnded(seconds) from None
    if done.returncode != 0:
        raise OSError(
            f"the check's process failed ({done.returncode}): {done.stderr.decode(errors='replace')[-2000:]}"
        )
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise ArchiveInvalid(*answer["refused"])
    if "missing" in answer:
        raise ToolMissing(*answer["missing"])
    if "full" in answer:
        raise NoRoom(answer["full"] + answer["full"] // 10 + _MARGIN)
    if "late" in answer:
        raise CheckEnded(seconds)
    return ImageFacts.from_json(answer["facts"])
