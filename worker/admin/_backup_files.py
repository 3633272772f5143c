"""The files of a backup: copied, or linked to those of the one before, each with its sha256."""

import hashlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from server.blobs import BlobStore, FileStore
from worker.admin._backup_database import DUMP
from worker.embedded.account import SetupError
from worker.embedded.data import make_directory

TREES = ("blobs", "inputs", "references", "secrets")
"""The directories that an installation cannot do without."""
IN_BUCKET = "blobs/in-bucket.txt"
"""The list of the blobs that lie in a bucket: this backup holds none of them."""
_UNFINISHED = "incoming"
"""What the blob store is still writing; it is nothing yet."""
SUMS = "SHA256SUMS"
_AT_ONCE = 2**20
_PAGE = 1000
_FAR = 10**5  # seconds into the future: every blob, however a store's clock is set
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_BLOB = re.compile(r"blobs/[0-9a-f]{2}/([0-9a-f]{64})")


class FileCount(BaseModel):
    """BackupFiles of a tree, and their bytes together."""

    count: int = 0
    bytes: int = 0


@dataclass
class BackupFiles:
    """The files of a backup in `folder`, by path in it: their sha256; and how many, by tree."""

    folder: Path
    sums: dict[str, str] = field(default_factory=dict)
    counts: dict[str, FileCount] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "BackupFiles":
        """What the list in `folder` says; nothing where there is none.

        Raises:
            SetupError: the list names something that is in no backup.
        """
        found = cls(folder)
        text = (folder / SUMS).read_text(errors="replace") if (folder / SUMS).is_file() else ""
        for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
            match = _LINE.fullmatch(line)
            parts = Path(match[2]).parts if match else ()
            if match is None or parts[0] not in (*TREES, DUMP) or ".." in parts:
                raise SetupError(
                    f"{folder / SUMS}, line {number}: no sha256 and path of a file in this directory."
                )
            found.sums[match[2]] = match[1]
        return found

    def write(self) -> str:
        """Writes the list, as `sha256sum --check` reads it; its own sha256."""
        (self.folder / SUMS).write_text(self._text)
        return self.sha256

    @property
    def sha256(self) -> str:
        """Of the list."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    @property
    def _text(self) -> str:
        return "".join(f"{digest}  {name}\n" for name, digest in sorted(self.sums.items()))

    def has(self, name: str, state: os.stat_result) -> bool:
        """Whether a file is here as it is elsewhere: a blob's name says so, else size and time of change do."""
        if name not in self.sums:
            return False
        try:
            own = (self.folder / name).stat()
        except FileNotFoundError:
            return False
        same = own.st_size == state.st_size
        return same and (_BLOB.fullmatch(name) is not None or int(own.st_mtime) == int(state.st_mtime))

    def take(self, name: str, data: Path, earlier: "BackupFiles") -> None:
        """Takes a file of the installation: linked where the backup before has it, else copied.

        One that goes meanwhile is left out: cases whose version is dropped. Blobs do not go.
        """
        try:
            state = (data / name).stat()
            target = self.folder / name
            make_directory(target.parent, 0o700)
            if earlier.has(name, state) and _linked(earlier.folder / name, target):
                self.sums[name] = earlier.sums[name]
            else:
                self.sums[name] = copied(data / name, target)
        except FileNotFoundError:
            if name.startswith("blobs/"):
                raise
            return
        count = self.counts.setdefault(name.split("/")[0], FileCount())
        count.count, count.bytes = count.count + 1, count.bytes + state.st_size

    def note_bucket(self, blobs: BlobStore) -> FileCount | None:
        """Lists the blobs of a bucket, which are not copied; None where blobs are files.

        Raises:
            BlobsAway: the bucket cannot be read.
        """
        if isinstance(blobs, FileStore):
            return None
        path, count = self.folder / IN_BUCKET, FileCount()
        make_directory(path.parent, 0o700)
        with path.open("x", encoding="utf-8") as file:
            for page in blobs.stored(before=time.time() + _FAR):
                file.writelines(f"{digest} {size}\n" for digest, size in page.items())
                count.count, count.bytes = count.count + len(page), count.bytes + sum(page.values())
        self.sums[IN_BUCKET] = sha256_of(path)
        return count

    def damaged(self) -> list[str]:
        """Blobs whose content is not what their name says."""
        named = ((name, _BLOB.fullmatch(name)) for name in self.sums)
        return sorted(name for name, match in named if match and self.sums[name] != match[1])


def names_in(data: Path, trees: Sequence[str] = TREES) -> Iterator[str]:
    """The whole files of an installation, as paths in it.

    Raises:
        SetupError: a name that no line of a list can hold.
    """
    for tree in trees:
        for folder, folders, files in os.walk(data / tree, followlinks=True):
            if Path(folder) == data / "blobs" and _UNFINISHED in folders:
                folders.remove(_UNFINISHED)
            for file in files:
                name = str((Path(folder) / file).relative_to(data))
                if "\n" in name:
                    raise SetupError(f"{data / name!r} has a line break in its name. Rename it.")
                yield name


def missing_in(blobs: BlobStore, listed: Path) -> list[str]:
    """Those that a backup lists of a bucket and that are not in `blobs`, or have other sizes.

    Raises:
        BlobsAway: it cannot be asked.
    """
    missing = []
    with listed.open(encoding="utf-8") as file:
        while rows := [line.split() for line in itertools.islice(file, _PAGE)]:
            sizes = blobs.sizes([digest for digest, _ in rows])
            missing += [digest for digest, size in rows if sizes.get(digest) != int(size)]
    return missing


def bytes_to_copy(data: Path, names: Sequence[str], earlier: BackupFiles) -> int:
    """Bytes that the backup before does not have."""
    total = 0
    for name in names:
        try:
            state = (data / name).stat()
        except FileNotFoundError:
            continue
        total += 0 if earlier.has(name, state) else state.st_size
    return total


def copied(source: Path, target: Path) -> str:
    """Copies a file that is not there, with its mode and times; the sha256 of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        while block := reading.read(_AT_ONCE):
            digest.update(block)
            writing.write(block)
    shutil.copystat(source, target)
    return digest.hexdigest()


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without links, or with no more of them
        return False
    return True


def read_back(path: Path, digest: str) -> None:
    """Returns if a file of a backup is as its list says.

    Raises:
        SetupError: it is missing, or another.
    """
    if not path.is_file():
        raise SetupError(f"{path} is missing: this backup is not whole any more.")
    if sha256_of(path) != digest:
        raise other_content(path)


def sha256_of(path: Path) -> str:
    """Of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def other_content(path: Path) -> SetupError:
    """What is said of a file that is not as it was written."""
    return SetupError(f"{path} was changed or cut short: its sha256 is not the one of the list.")
