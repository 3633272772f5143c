"""Checking an upload in a child process: archives are strangers' data, so they are read under limits."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from contract.images import ImageFacts
from sandbox.archive import ArchiveInvalid, Bounds, Call, ToolMissing
from server.blobs import BlobStore
from worker.score.staging import Staging, staged, without_keys

MEMORY = 4 * 2**30
_MARGIN = 16 * 2**20
_SECONDS, _BYTES_PER_SECOND = 60, 10 * 2**20
_MOMENT, _PATIENCE = 60, 4
"""By the clock a check may take that many seconds, and that many times its processor time: machines are busy."""


class CheckEnded(Exception):
    """The check had used up its processor time before it knew; `seconds` is how much it had."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the check was ended after {seconds} s of processor time")
        self.seconds = seconds


class NoRoom(Exception):
    """The disk had no room for what the check unpacks; with `needs` bytes of room it may be tried again."""

    def __init__(self, needs: int) -> None:
        super().__init__(f"the check found no room on the disk; it needs {needs} bytes or more")
        self.needs = needs


class CheckLost(Exception):
    """The check came to no end, for want of memory or time by the clock: no fault of the archive for certain."""


class TooMuch(Exception):
    """The archive unpacks to more than its team may store."""


def allowance(size: int, limit: int) -> int:
    """Seconds of processor time for an upload of `size` bytes, which may unpack to `limit` bytes."""
    return _SECONDS + (size + Bounds().most(size, limit)) // _BYTES_PER_SECOND


def clock(seconds: int) -> float:
    """Seconds by the clock in which `seconds` of processor time have to be found."""
    return _MOMENT + _PATIENCE * seconds


def check(
    path: Path,
    *,
    limit: int,
    blobs: BlobStore,
    calls: Collection[Call],
    seconds: int | None = None,
    longest: float | None = None,
    most: int = 2**63 - 1,
) -> ImageFacts:
    """`check_archive` in a process of its own, with bounded memory, time, files and bytes per file.

    seconds: of processor time; longest: by the clock. By default as many as the upload's size gives reason for.

    most: so many bytes that are not stored yet it may store.

    Raises:
        ArchiveInvalid, ToolMissing: as `check_archive` does.
        CheckEnded: it took more than `seconds`.
        NoRoom: the room of `blobs` is used up.
        TooMuch: it would store more than `most` bytes.
        CheckLost: it did not end otherwise.
        BlobsAway: `blobs` is another machine's store, and does not answer.
    """
    seconds = seconds or allowance(path.stat().st_size, limit)
    request = {"path": str(path.absolute()), "limit": limit}
    request |= {"calls": [None if call is None else [*call] for call in calls]}
    request |= {"seconds": seconds, "memory": MEMORY, "parent": os.getpid()}
    request |= {"keep": blobs.room.keep if blobs.room else 0, "most": most}
    with staged(blobs) as staging:
        answer = _answered(request, blobs, staging, longest or clock(seconds))
        facts = _facts(answer, seconds)
        if staging is not None:
            _hand_over(staging, facts)
    return facts


def _answered(
    request: dict[str, Any], blobs: BlobStore, staging: Staging | None, longest: float
) -> dict[str, Any]:
    root, ask = (blobs.root, None) if staging is None else (staging.files.root, staging.descriptor)
    request |= {"blobs": str(root.absolute()), "ask": ask}
    answer: dict[str, Any] = json.loads(
        _asked(json.dumps(request).encode(), longest, () if ask is None else (ask,))
    )
    if staging is not None:
        staging.raise_if_away()
    return answer


def _hand_over(staging: Staging, facts: ImageFacts) -> None:
    try:
        staging.hand_over(dict.fromkeys((facts.digest, *facts.layers)))
    except ValueError as error:
        raise CheckLost(str(error)) from None


def _facts(answer: dict[str, Any], seconds: int) -> ImageFacts:
    if "refused" in answer:
        raise ArchiveInvalid(*answer["refused"])
    if "missing" in answer:
        raise ToolMissing(*answer["missing"])
    if "full" in answer:
        raise NoRoom(answer["full"] + answer["full"] // 10 + _MARGIN)
    if "too_much" in answer:
        raise TooMuch
    if "late" in answer:
        raise CheckEnded(seconds)
    if "lost" in answer:
        raise CheckLost(answer["lost"])
    return ImageFacts.model_validate(answer["facts"])


def _asked(request: bytes, longest: float, descriptors: tuple[int, ...]) -> bytes:
    """What the child answers. It has a session of its own, so that whatever it started ends with it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "worker.score.check_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=without_keys(os.environ.items()) | {"PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"},
        start_new_session=True,
        pass_fds=descriptors,
    )
    try:
        said, errors = child.communicate(request, timeout=longest)
    except subprocess.TimeoutExpired:
        raise CheckLost(f"the check had not ended after {longest:.0f} s by the clock") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    if child.returncode != 0:
        text = errors.decode(errors="replace")[-2000:]
        raise CheckLost(f"the check's process failed ({child.returncode}): {text}")
    return said
