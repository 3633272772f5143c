"""A content-addressed store of bytes on a file system: a blob's name is its sha256."""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class BlobStore:
    """Blobs under `root`, one file each, written once and never changed."""

    def __init__(self, root: Path) -> None:
        self.root = root

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
        """Whether the blob is stored."""
        return self.path(digest).is_file()

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


class BlobWriter:
    """One blob on its way into the store."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._hash = hashlib.sha256()
        self.size = 0
        incoming = store.root / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=incoming)
        self._file = os.fdopen(handle, "wb")
        self._path = Path(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Appends `data`."""
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        """The digest of what was written so far."""
        return "sha256:" + self._hash.hexdigest()

    def commit(self) -> str:
        """Makes the blob durable under its digest and returns it; a blob that is already there is kept."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        target = self._store.path(self.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(target)
        return self.digest
