"""The inputs that this host has fetched, by digest, so that each is fetched once for all submissions.

Every file was checked against its digest when it came, nobody but the worker may read it, and the cache is as large
as its bound says: what was used longest ago goes first. They are hidden data. So nothing is kept where the bound is 0,
and all of it goes when the worker is not let in any more, when it works for another server, or when an admin says so.
"""

import contextlib
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_USED = ".used"
_LOCK = ".lock"
_PART = ".part"
_SERVER = "server.url"
_EVERYTHING = "all"


@dataclass(frozen=True)
class Wiped:
    """How many files were removed, and how many bytes they had."""

    files: int
    size: int


class InputCache:
    """A folder of files named by their sha256, shared by the slots of a host; `limit` bounds it in bytes.

    With a limit of 0 nothing is kept: what a case needs is fetched for it alone and goes with it.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self._root, self._limit = root, limit
        root.mkdir(mode=0o700, exist_ok=True)
        root.chmod(0o700)
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # another slot needs room
                path.chmod(0o600)

    def bring(self, sha256: str, target: Path, fetch: Callable[[Path], None]) -> None:
        """Puts the file at `target`; `fetch` gets it, and checks its digest, if it is not here yet."""
        if self._limit == 0:
            _private(target)
            fetch(target)
            return
        if self._link(sha256, target):
            return
        with self._locked(sha256):  # two slots that want the same file fetch it once
            if self._link(sha256, target):
                return
            part = self._root / f"{sha256}-{uuid.uuid4().hex}{_PART}"
            try:
                _private(part)
                fetch(part)
                _to_disk(part)  # its digest is not asked for again, and a host may lose its power
                os.link(part, target)
                part.replace(self._root / sha256)
            finally:
                part.unlink(missing_ok=True)
            self._use(sha256)
        self._make_room()

    def serve(self, server: str) -> Wiped:
        """Keeps inputs of the server at this address from now on, and removes what is here of another one.

        With a limit of 0 nothing stays either.
        """
        note = self._root / _SERVER
        with self._locked(_EVERYTHING):
            same = note.is_file() and note.read_text() == server
            wiped = Wiped(0, 0) if same and self._limit else self._wipe()
            _private(note)
            note.write_text(server)
        return wiped

    def wipe(self) -> Wiped:
        """Removes every file; cases under way have links of their own, which go with them."""
        with self._locked(_EVERYTHING):
            return self._wipe()

    def _wipe(self) -> Wiped:
        self._remove_cut_off()
        sizes = [_removed(path) for path in self._files()]
        return Wiped(sum(size is not None for size in sizes), sum(size or 0 for size in sizes))

    def _files(self) -> list[Path]:
        """What is kept; links and folders that somebody put here are none of it, and never followed."""
        with os.scandir(self._root) as entries:
            return [
                Path(entry)
                for entry in entries
                if entry.is_file(follow_symlinks=False) and "." not in entry.name
            ]

    def _link(self, sha256: str, target: Path) -> bool:
        try:
            os.link(self._root / sha256, target)
        except FileNotFoundError:
            return False
        self._use(sha256)
        return True

    def _use(self, sha256: str) -> None:
        # Beside the file: its own times are seen inside a container and would tell when another one had it.
        (self._root / f"{sha256}{_USED}").touch(mode=0o600)

    @contextmanager
    def _locked(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Held by one slot at a time; the file stays, for another slot may wait on it.

        Without `wait` it is False where another one has it.
        """
        with (self._root / f"{name[:2]}{_LOCK}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True

    def _make_room(self) -> None:
        with self._locked(_EVERYTHING):
            files = self._files()
            sizes = {path: path.stat().st_size for path in files}
            self._remove_cut_off()
            over = sum(sizes.values()) - self._limit
            for path in sorted(files, key=self._used_at):
                if over <= 0:
                    return
                over -= sizes[path]
                _removed(path)

    def _remove_cut_off(self) -> None:
        """Removes what a worker was fetching when it was killed."""
        for path in self._root.glob(f"*{_PART}"):
            with self._locked(path.name, wait=False) as free:
                if free:
                    path.unlink(missing_ok=True)

    def _used_at(self, path: Path) -> float:
        with contextlib.suppress(FileNotFoundError):
            return path.with_name(path.name + _USED).stat().st_mtime
        return 0.0


def _private(path: Path) -> None:
    """Makes an empty file that nobody but its owner may read."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600))


def _removed(path: Path) -> int | None:
    """The bytes that the file had; None if it was gone."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    path.unlink(missing_ok=True)
    path.with_name(path.name + _USED).unlink(missing_ok=True)
    return size


def _to_disk(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
