"""A content-addressed store of bytes on a file system: a blob's name is its sha256."""

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from uuid import uuid4

from contract.problems import ErrorCode
from server.disk import Room, closed
from server.errors import Conflict, DataMissing

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FOLDER = re.compile(r"[0-9a-f]{2}")
LOCK = "lock"
"""The name, in `incoming`, of the file by which a backup keeps the store still."""


class BlobStore:
    """Blobs under `root`, one file each, written once and never changed; `room` bounds what may be written.

    A blob's time of change says when somebody last relied on it: it was written then, or found instead of being
    written. One that no row names and that nobody relied on lately may be removed, see `server.storage.sweep`.
    """

    def __init__(self, root: Path, room: Room | None = None) -> None:
        self.root = root
        self.room = room

    def path(self, digest: str) -> Path:
        """Where the blob lies; it need not exist.

        Raises:
            ValueError: `digest` is not "sha256:" and 64 hexadecimal digits.
        """
        if not _DIGEST.fullmatch(digest):
            raise ValueError("a digest is sha256: and 64 hexadecimal digits")
        name = digest.removeprefix("sha256:")
        return self.root / name[:2] / name

    def has(self, digest: str) -> bool:
        """Whether the blob is stored; whoever asks relies on it, so it stays for now."""
        try:
            os.utime(self.path(digest))
        except FileNotFoundError:
            return False
        return True

    def size(self, digest: str) -> int:
        """The blob's size in bytes; FileNotFoundError where it is not stored."""
        return self.path(digest).stat().st_size

    def open(self, digest: str) -> BinaryIO:
        """The blob for reading; FileNotFoundError where it is not stored."""
        return self.path(digest).open("rb")

    def writer(self) -> "BlobWriter":
        """A context in which a blob is written; nothing is stored before its `commit`."""
        return BlobWriter(self)

    def put(self, data: bytes) -> str:
        """Stores `data` and returns its digest."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit()

    def set_aside(self, name: str) -> Path:
        """Where bytes lie that were set aside under `name`, see `BlobWriter.set_aside`."""
        return self.root / "incoming" / name

    def adopt(self, name: str, digest: str) -> None:
        """Makes what was set aside under `name`, and has this digest, a blob; again is as good as once.

        Raises:
            DataMissing: neither is there.
        """
        target = self.path(digest)
        closed(target.parent)
        try:
            self.set_aside(name).replace(target)
        except FileNotFoundError:
            if not self.has(digest):
                raise DataMissing(
                    ErrorCode.DATA_MISSING, "The server has lost this output. Send it again."
                ) from None

    def folders(self) -> Iterator[Path]:
        """The folders that blobs lie in."""
        if self.root.is_dir():
            yield from sorted(path for path in self.root.iterdir() if _FOLDER.fullmatch(path.name))

    @contextmanager
    def still(self) -> Iterator[None]:
        """While the block lasts nothing is removed from the store; it begins once nobody is at it."""
        with self._locked() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def removing(self) -> Iterator[bool]:
        """Whether blobs may be removed in the block: not while somebody keeps the store still."""
        with self._locked() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def require_no_backup(self) -> None:
        """Refuses what a backup that is being made would miss.

        Raises:
            Conflict: the store is kept still.
        """
        with self.removing() as may:
            if not may:
                raise Conflict(
                    ErrorCode.BACKUP_RUNS,
                    "A backup is being made, and nothing is removed meanwhile. Try again once it is through.",
                )

    def _locked(self) -> BinaryIO:
        closed(self.root)
        return (closed(self.root / "incoming") / LOCK).open("ab")

    def take_unused(self, digest: str, *, before: float) -> Path | None:
        """Takes out a blob on which nobody relied since `before` (seconds since 1970); its file, which may be deleted.

        It is renamed before its time is looked at: whoever finds it until then makes it young, and whoever comes
        later does not find it and writes it anew. To delete a large file takes long, so the caller does it in its time.
        """
        path = self.path(digest)
        aside = closed(self.root / "incoming") / f"removed-{path.name}"
        try:
            path.replace(aside)
            found = aside.stat()
        except FileNotFoundError:
            return None
        if found.st_mtime >= before:
            if not path.exists():  # whatever came meanwhile has the same bytes
                aside.replace(path)
            aside.unlink(missing_ok=True)
            return None
        return aside.replace(aside.with_name(f"gone-{uuid4()}"))


class BlobWriter:
    """One blob on its way into the store."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._hash = hashlib.sha256()
        self.size = 0
        closed(store.root)
        handle, name = tempfile.mkstemp(dir=closed(store.root / "incoming"))
        self._file = os.fdopen(handle, "wb")
        self._path = Path(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError:
            if error is None:  # a full disk is told once: by whatever ends this block
                raise
        finally:
            self._path.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Appends `data`; StorageFull where the disk has no room for it."""
        if self._store.room is not None:
            self._store.room.require(len(data))
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        """The digest of what was written so far."""
        return "sha256:" + self._hash.hexdigest()

    def commit(self) -> str:
        """Makes the blob durable under its digest and returns it; a blob that is already there is kept."""
        target = self._store.path(self.digest)
        self.seal()
        closed(target.parent)
        self._path.replace(target)
        return self.digest

    def set_aside(self, name: str) -> str:
        """Makes the bytes durable under a name, in the place of what that had, until they are adopted; the digest."""
        self.seal()
        self._path.replace(self._store.set_aside(name))
        return self.digest

    def seal(self) -> None:
        """Makes durable what was written, which is all; again is as good as once."""
        if self._file.closed:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
