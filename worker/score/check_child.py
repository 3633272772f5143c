"""The process that checks one upload: `python -m worker.score.check_child`, asked and answering in JSON."""

import errno
import json
import resource
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from sandbox.archive import ArchiveInvalid, ToolMissing, check_archive
from server.blobs import FileStore
from server.disk import Room
from server.errors import StorageFull
from worker.score.processes import end_with
from worker.score.staging import StagedSink

_GRACE = 30
"""Seconds of processor time in which a check that has to end may still remove what it wrote."""
_OPEN_FILES = 512
"""More than an image has layers, each of which is written to a file."""
_LIST_OF_FILES = 2**28


class _LateError(Exception):
    """The check has used up its processor time."""


class _TooMuchError(Exception):
    """The check would store more than it may."""


class _Bounded(Room):
    """Room on the disk of which this process may take `most` bytes; `taken` is what it has."""

    def __init__(self, path: Path, keep: int, most: int) -> None:
        super().__init__(path, keep)
        self.most, self.taken = most, 0

    def require(self, size: int = 1) -> None:
        if self.taken + size > self.most:
            raise _TooMuchError
        super().require(size)
        self.taken += size


def main() -> None:
    """Answers the one request on standard input."""
    request = json.load(sys.stdin)
    end_with(int(request["parent"]))
    _bound(request)
    json.dump(_answer(request), sys.stdout)


def _bound(request: dict[str, Any]) -> None:
    seconds, largest = int(request["seconds"]), int(request["limit"]) + _LIST_OF_FILES
    signal.signal(signal.SIGXCPU, _end)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + _GRACE))
    resource.setrlimit(resource.RLIMIT_AS, (int(request["memory"]), resource.RLIM_INFINITY))
    for what, most in (
        (resource.RLIMIT_FSIZE, largest),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    calls = [None if call is None else tuple(call) for call in request["calls"]]
    blobs = Path(request["blobs"])
    files = FileStore(blobs, room := _Bounded(blobs, int(request["keep"]), int(request["most"])))
    try:
        facts = check_archive(
            Path(request["path"]),
            limit=int(request["limit"]),
            sink=files if request["ask"] is None else StagedSink(files, int(request["ask"])),
            calls=calls,
        )
    except ArchiveInvalid as error:
        return {"refused": [str(error.code), error.message]}
    except ToolMissing as error:
        return {"missing": [error.what, error.remedy]}
    except _LateError:
        return {"late": True}
    except _TooMuchError:
        return {"too_much": True}
    except (StorageFull, OSError, MemoryError) as error:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) not in (
            None,
            errno.ENOSPC,
            errno.EDQUOT,
        ):
            return {"lost": f"{type(error).__name__}: {error}"}
        return {"full": room.taken}
    return {"facts": facts.model_dump(mode="json")}


def _end(number: int, frame: FrameType | None) -> NoReturn:
    # The kernel sends it each second, and what follows removes files.
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    raise _LateError


if __name__ == "__main__":
    main()
