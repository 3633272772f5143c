"""Where verified blobs go: anything that stores bytes under their sha256."""

import hashlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self


class BlobWriter(Protocol):
    """One blob being written; leaving the context without `commit` stores nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def write(self, data: bytes, /) -> int:
        """Appends `data`."""
        ...

    @property
    def digest(self) -> str:
        """The digest of what was written so far, as "sha256:…"."""
        ...

    def commit(self) -> str:
        """Stores the blob under its digest, which is returned."""
        ...


class BlobSink(Protocol):
    """A content-addressed store. The check commits blobs only after the whole archive has passed."""

    def has(self, digest: str, /) -> bool:
        """Whether a blob with this digest is stored already; it is then verified but not written again."""
        ...

    def writer(self) -> BlobWriter:
        """A new blob."""
        ...


class HashOnly:
    """A writer that keeps nothing: for blobs that the sink has already."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def write(self, data: bytes) -> int:
        """Takes `data` into the digest."""
        self._hash.update(data)
        return len(data)

    @property
    def digest(self) -> str:
        """The digest of what was written so far."""
        return "sha256:" + self._hash.hexdigest()

    def commit(self) -> str:
        """The digest; there is nothing to store."""
        return self.digest


class DirectorySink:
    """Blobs as files of one directory, named by the hexadecimal digits of their digest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def _path(self, digest: str) -> Path:
        return self.root / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._path(digest).is_file()

    def open(self, digest: str) -> BinaryIO:
        """The blob for reading; FileNotFoundError where it is not stored."""
        return self._path(digest).open("rb")

    def writer(self) -> "_FileWriter":
        """A new blob, in a temporary file until it is committed."""
        return _FileWriter(self.root)


class _FileWriter(HashOnly):
    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        handle, name = tempfile.mkstemp(dir=root, prefix="incoming-")
        self._file, self._path = os.fdopen(handle, "wb"), Path(name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Appends `data`."""
        super().write(data)
        return self._file.write(data)

    def commit(self) -> str:
        """Moves the blob to its name."""
        self._file.close()
        self._path.replace(self._root / self.digest.removeprefix("sha256:"))
        return self.digest
