"""Blobs as files of this machine, one each."""

import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from server.blobs._store import BlobStore, BlobWriter, Taken, lost_output, name_of
from server.disk import closed

_FOLDER = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(r"[0-9a-f]{64}")
_PIECE = 1 << 20


class FileStore(BlobStore):
    """Blobs under `root`, one file each; `room` bounds what may be written.

    A blob's time of change says when somebody last relied on it: it was written then, or found instead of being
    written.
    """

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.root)

    def path(self, digest: str) -> Path:
        """Where the blob lies; it need not exist.

        Raises:
            ValueError: `digest` is not "sha256:" and 64 hexadecimal digits.
        """
        name = name_of(digest)
        return self.root / name[:2] / name

    def has(self, digest: str) -> bool:
        """Whether the blob is stored; whoever asks relies on it, so it stays for now."""
        try:
            os.utime(self.path(digest))
        except FileNotFoundError:
            return False
        return True

    def sizes(self, digests: Collection[str]) -> dict[str, int]:
        """Of those that are stored, how many bytes each has."""
        return dict(_sized((digest, self.path(digest)) for digest in digests))

    def open(self, digest: str) -> BinaryIO:
        """The blob for reading; FileNotFoundError where it is not stored."""
        return self.path(digest).open("rb")

    def read(self, digest: str) -> Iterator[bytes]:
        """The blob's bytes piece by piece; the disk is taken at its word."""
        with self.open(digest) as file:
            while piece := file.read(_PIECE):
                yield piece

    def local(self, digest: str) -> Path:
        """The file that the blob is; it need not exist."""
        return self.path(digest)

    def link(self, digest: str, seconds: float) -> None:
        """None: nobody else serves these files."""

    def lend(self, of: str, path: Path, sha256: str, seconds: float) -> None:
        """None: nobody else serves these files."""

    def lenders(self) -> set[str]:
        """None."""
        return set()

    def forget_lent(self, of: str) -> None:
        """Nothing was copied."""

    def bring(self, wanted: Mapping[Path, str]) -> None:
        """Copies blobs to files that are not there yet; FileNotFoundError where one is not stored."""
        for path, digest in wanted.items():
            shutil.copyfile(self.path(digest), path)

    def writer(self) -> "FileWriter":
        """A context in which a blob is written; nothing is stored before its `commit`."""
        return FileWriter(self)

    def take_in(self, path: Path) -> str:
        """Copies a file of this machine into the store, and returns its digest."""
        with self.writer() as writer, path.open("rb") as file:
            while piece := file.read(_PIECE):
                writer.write(piece)
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
                raise lost_output() from None

    def folders(self) -> Iterator[Path]:
        """The folders that blobs lie in."""
        if self.root.is_dir():
            yield from sorted(path for path in self.root.iterdir() if _FOLDER.fullmatch(path.name))

    def stored(self, *, before: float) -> Iterator[dict[str, int]]:
        """All blobs on which nobody relied since `before`, folder by folder, with their sizes."""
        for folder in self.folders():
            found = {}
            for path in folder.iterdir():
                if not _NAME.fullmatch(path.name):
                    continue  # somebody else's, and no blob
                try:
                    state = path.lstat()
                except FileNotFoundError:
                    continue
                if state.st_mtime < before:
                    found[f"sha256:{path.name}"] = state.st_size
            yield found

    def take(self, digests: Collection[str], *, before: float) -> list[Taken]:
        """Takes out those of the blobs on which nobody relied since `before`; large files take long to delete."""
        taken = (self.take_unused(digest, before=before) for digest in digests)
        return [partial(_deleted, path) for path in taken if path is not None]

    def take_unused(self, digest: str, *, before: float) -> Path | None:
        """Takes out a blob on which nobody relied since `before` (seconds since 1970); its file, which may be deleted.

        It is renamed before its time is looked at: whoever finds it until then makes it young, and whoever comes
        later does not find it and writes it anew. To delete a large file takes long, so the caller does it in its time.
        """
        path = self.path(digest)
        aside = self.incoming / f"removed-{path.name}"
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

    def tidy(self, age: timedelta) -> None:
        """A sweep that was killed between a blob's renaming and its decision decides nothing."""
        folder = self.root / "incoming"
        for path in folder.glob("removed-*") if folder.is_dir() else ():
            path.replace(self.path("sha256:" + path.name.removeprefix("removed-")))


def _sized(files: Iterator[tuple[str, Path]]) -> Iterator[tuple[str, int]]:
    for digest, path in files:
        try:
            yield digest, path.stat().st_size
        except FileNotFoundError:
            continue


def _deleted(file: Path) -> int | None:
    try:
        size = file.lstat().st_size
        file.unlink()
    except FileNotFoundError:
        return None  # another sweep took it for a leftover, and counts it
    return size


class FileWriter(BlobWriter):
    """One blob on its way into the files."""

    def __init__(self, store: FileStore) -> None:
        super().__init__(store)
        self._store = store

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
