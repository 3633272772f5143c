"""The inputs that this host has fetched, by digest, so that each is fetched once for all submissions.

Every file was checked against its digest when it came, nobody can write to it afterwards, and the cache is as large
as its bound says: what was used longest ago goes first.
"""

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_USED = ".used"
_LOCK = ".lock"
_PART = ".part"
_CUT_OFF = 3600.0
"""Seconds after which nobody writes to a file any more that nothing was added to."""


class InputCache:
    """A folder of files named by their sha256, shared by the slots of a host; `limit` bounds it in bytes."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root, self._limit = root, limit
        root.mkdir(mode=0o700, exist_ok=True)

    def bring(self, sha256: str, target: Path, fetch: Callable[[Path], None]) -> None:
        """Puts the file at `target`; `fetch` gets it, and checks its digest, if it is not here yet."""
        if self._link(sha256, target):
            return
        with self._locked(sha256):  # two slots that want the same file fetch it once
            if self._link(sha256, target):
                return
            part = self._root / f"{sha256}-{uuid.uuid4().hex}{_PART}"
            try:
                fetch(part)
                _to_disk(part)  # its digest is not asked for again, and a host may lose its power
                part.chmod(0o444)
                os.link(part, target)
                part.replace(self._root / sha256)
            finally:
                part.unlink(missing_ok=True)
            self._use(sha256)
        self._make_room()

    def _link(self, sha256: str, target: Path) -> bool:
        try:
            os.link(self._root / sha256, target)
        except FileNotFoundError:
            return False
        self._use(sha256)
        return True

    def _use(self, sha256: str) -> None:
        # Beside the file: its own times are seen inside a container and would tell when another one had it.
        (self._root / f"{sha256}{_USED}").touch()

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Held by one slot at a time; the file stays, for another slot may wait on it."""
        with (self._root / f"{name[:2]}{_LOCK}").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make_room(self) -> None:
        with self._locked("all"):
            files = [path for path in self._root.iterdir() if not path.suffix]
            sizes = {path: path.stat().st_size for path in files}
            self._remove_cut_off()
            over = sum(sizes.values()) - self._limit
            for path in sorted(files, key=self._used_at):
                if over <= 0:
                    return
                over -= sizes[path]
                path.unlink(missing_ok=True)
                path.with_name(path.name + _USED).unlink(missing_ok=True)

    def _remove_cut_off(self) -> None:
        """Removes what a worker was fetching when it was killed."""
        for path in self._root.glob(f"*{_PART}"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _CUT_OFF:
                    path.unlink()

    def _used_at(self, path: Path) -> float:
        with contextlib.suppress(FileNotFoundError):
            return path.with_name(path.name + _USED).stat().st_mtime
        return 0.0


def _to_disk(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
