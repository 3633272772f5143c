"""What every store of blobs does, and what of it is on this machine: what is being written, and a backup's lock."""

import fcntl
import hashlib
import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from contract.problems import ErrorCode
from server.disk import Room, closed
from server.errors import Conflict, DataMissing

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LOCK = "lock"
"""The name, in `incoming`, of the file by which a backup keeps the store still."""

Piece = bytes | memoryview
"""Some of a blob's bytes."""

Taken = Callable[[], int | None]
"""What is left to do for a blob that was taken out: deletes it; its bytes, or None where somebody else counts them."""


def name_of(digest: str) -> str:
    """The 64 digits of a digest.

    Raises:
        ValueError: `digest` is not "sha256:" and 64 hexadecimal digits.
    """
    if not _DIGEST.fullmatch(digest):
        raise ValueError("a digest is sha256: and 64 hexadecimal digits")
    return digest.removeprefix("sha256:")


class BlobStore(ABC):
    """Blobs, written once and never changed. Under `root` is what is being written; `room` bounds that.

    A blob's time of change says when somebody last wrote it. One that no row names and that nobody relied on lately
    may be removed, see `server.storage.sweep`. Where the store is another machine's, each call may raise BlobsAway,
    and each that reads bytes BlobDamaged: none of them is ever used then.
    """

    def __init__(self, root: Path, room: Room | None = None) -> None:
        self.root = root
        self.room = room

    @property
    @abstractmethod
    def where(self) -> str:
        """Where the blobs lie, for people."""

    @abstractmethod
    def has(self, digest: str) -> bool:
        """Whether the blob is stored; whoever asks relies on it, so it stays for now."""

    @abstractmethod
    def sizes(self, digests: Collection[str]) -> dict[str, int]:
        """Of those that are stored, how many bytes each has; nobody relies on them by asking."""

    def size(self, digest: str) -> int:
        """The blob's size in bytes; FileNotFoundError where it is not stored."""
        try:
            return self.sizes([digest])[digest]
        except KeyError:
            raise FileNotFoundError(f"{digest} is not stored") from None

    @abstractmethod
    def open(self, digest: str) -> BinaryIO:
        """The blob for reading; FileNotFoundError where it is not stored."""

    @abstractmethod
    def read(self, digest: str) -> Iterator[Piece]:
        """The blob's bytes piece by piece; the last piece comes only if all of them are the blob's.

        Raises:
            FileNotFoundError: it is not stored.
        """

    @abstractmethod
    def local(self, digest: str) -> Path | None:
        """The file that the blob is; None where blobs are no files of this machine. It need not exist."""

    @abstractmethod
    def link(self, digest: str, seconds: float) -> str | None:
        """An address at which whoever has it may read this one blob for so long; None where there is none."""

    @abstractmethod
    def lend(self, of: str, path: Path, sha256: str, seconds: float) -> str | None:
        """An address at which a copy of this file may be read for so long; None where there is none, or none yet.

        of: whose it is; `forget_lent` removes all copies that are lent under this name.
        """

    @abstractmethod
    def lenders(self) -> set[str]:
        """The names under which copies are lent."""

    @abstractmethod
    def forget_lent(self, of: str) -> None:
        """Removes every copy that was made to be lent under this name."""

    @abstractmethod
    def bring(self, wanted: Mapping[Path, str]) -> None:
        """Writes blobs to files that are not there yet; FileNotFoundError where one is not stored."""

    @abstractmethod
    def writer(self) -> "BlobWriter":
        """A context in which a blob is written; nothing is stored before its `commit`."""

    def put(self, data: bytes) -> str:
        """Stores `data` and returns its digest."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit()

    @abstractmethod
    def take_in(self, path: Path) -> str:
        """Makes a file of this machine a blob, and returns its digest; the file may be gone afterwards."""

    @abstractmethod
    def adopt(self, name: str, digest: str) -> None:
        """Makes what was set aside under `name`, and has this digest, a blob; again is as good as once.

        Raises:
            DataMissing: neither is there.
        """

    @abstractmethod
    def stored(self, *, before: float) -> Iterator[dict[str, int]]:
        """All blobs that nobody wrote since `before` (seconds since 1970), some at a time, with their sizes."""

    @abstractmethod
    def take(self, digests: Collection[str], *, before: float) -> list[Taken]:
        """Takes out those of the blobs on which nobody relied since `before`; the caller deletes them in its time."""

    @abstractmethod
    def tidy(self, age: timedelta) -> None:
        """Mends what killed processes left half done; what may still be under way is younger than `age`."""

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

    @property
    def incoming(self) -> Path:
        """The folder of what is on its way into the store."""
        closed(self.root)
        return closed(self.root / "incoming")

    def _locked(self) -> BinaryIO:
        return (self.incoming / LOCK).open("ab")


def lost_output() -> DataMissing:
    """The problem of an output that was set aside and is not there any more."""
    return DataMissing(ErrorCode.DATA_MISSING, "The server has lost this output. Send it again.")


class BlobWriter(ABC):
    """One blob on its way into the store, as a file of this machine."""

    def __init__(self, store: BlobStore) -> None:
        self._room = store.room
        self._hash = hashlib.sha256()
        self.size = 0
        handle, name = tempfile.mkstemp(dir=store.incoming)
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
        if self._room is not None:
            self._room.require(len(data))
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        """The digest of what was written so far."""
        return "sha256:" + self._hash.hexdigest()

    @abstractmethod
    def commit(self) -> str:
        """Makes the blob durable under its digest and returns it; a blob that is already there is kept."""

    @abstractmethod
    def set_aside(self, name: str) -> str:
        """Makes the bytes durable under a name, in the place of what that had, until they are adopted; the digest."""

    @abstractmethod
    def seal(self) -> None:
        """Makes durable what was written, which is all; again is as good as once."""
