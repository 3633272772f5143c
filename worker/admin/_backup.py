"""Backups in a directory: each one of its own that appears whole or not at all, and a list of who was erased."""

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError

from worker.admin._backup_database import TableContent
from worker.admin._backup_files import BackupFiles, FileCount, read_back
from worker.embedded.account import SetupError
from worker.embedded.data import make_directory, write_closed

MANIFEST = "manifest.json"
ERASED = "erased.json"
_STAMP = "%Y-%m-%dT%H%M%SZ"
_IDS = TypeAdapter(list[UUID])
_OURS = frozenset((ERASED, "lost+found"))


class BucketCount(FileCount):
    """The blobs of a bucket that a backup lists and does not hold; `place` is where they are."""

    place: str

    @property
    def said(self) -> str:
        """How many they are, and where."""
        size = f"{self.bytes / 1e6:,.1f} MB"
        return f"not in it, only listed: {self.count:,} blobs with {size} in {self.place}"


class BackupManifest(BaseModel):
    """What a backup holds.

    version: of the code that made it; audit_head: the last link of the log's chain; revision: of its tables;
    receipt_key: the public key in use; boards: a digest by challenge and phase; files: by tree; sums: sha256 of the
    list of all files; bucket: the blobs that lie in one, and so are not in the backup.
    """

    made_at: datetime
    version: str
    audit_head: str
    revision: str
    receipt_key: str | None
    keys: bool
    tables: dict[str, TableContent]
    boards: dict[str, str]
    files: dict[str, FileCount]
    sums: str
    bucket: BucketCount | None = None

    @property
    def said(self) -> str:
        """How much it is."""
        rows = sum(table.rows for table in self.tables.values())
        count = sum(tree.count for tree in self.files.values())
        size = sum(tree.bytes for tree in self.files.values())
        told = f"{rows:,} rows in {len(self.tables)} tables, {count:,} files with {size / 1e6:,.1f} MB"
        return told if self.bucket is None else f"{told}; {self.bucket.said}"


@contextmanager
def held(root: Path) -> Iterator[None]:
    """One backup into a directory at a time.

    Raises:
        SetupError: another one is being made.
    """
    with (root / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(f"Another backup into {root} is being made. Let it end first.") from None
        yield


def whole_in(root: Path) -> list[Path]:
    """The whole backups in a directory, oldest first."""
    there = root.iterdir() if root.is_dir() else ()
    return sorted(path for path in there if _moment_of(path) is not None and (path / MANIFEST).is_file())


def _moment_of(path: Path) -> datetime | None:
    try:
        return datetime.strptime(path.name, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def require_own(root: Path) -> None:
    """Returns if a directory is new, empty, or holds backups only.

    Raises:
        SetupError: it holds something else.
    """
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name not in _OURS and not path.name.startswith(".") and _moment_of(path) is None:
            told = "Name a directory that is new, empty, or one of backups."
            raise SetupError(f"{root} holds {path.name}, which is of no backup. {told}")


@contextmanager
def appearing(root: Path, at: datetime) -> Iterator[tuple[Path, Path]]:
    """A directory to fill, and the one that it becomes at the end of the block; what broken ones left is removed."""
    for left in root.glob(".unfinished-*"):
        shutil.rmtree(left)
    target = root / at.strftime(_STAMP)
    while target.exists():
        at += timedelta(seconds=1)
        target = root / at.strftime(_STAMP)
    fresh = make_directory(root / f".unfinished-{target.name}", 0o700)
    try:
        yield fresh, target
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    fresh.rename(target)


def thin_out(root: Path, keep: int) -> int:
    """Removes all but the newest whole backups; how many it removed."""
    over = whole_in(root)[:-keep]
    for path in over:
        shutil.rmtree(path.rename(root / f".unfinished-{path.name}"))
    return len(over)


def read_whole(folder: Path) -> tuple[Path, BackupManifest, BackupFiles]:
    """The backup in `folder`, or the newest of those in it, with what it says it holds.

    Raises:
        SetupError: there is none, or what it says cannot be read or was changed.
    """
    found = folder if (folder / MANIFEST).is_file() else next(reversed(whole_in(folder)), None)
    if found is None:
        raise SetupError(
            f"{folder} holds no whole backup: none that has a {MANIFEST}, which is written last."
        )
    try:
        manifest = BackupManifest.model_validate_json((found / MANIFEST).read_text())
    except (ValidationError, UnicodeDecodeError):
        raise SetupError(
            f"{found / MANIFEST} cannot be read: it was changed, or another version made it."
        ) from None
    files = BackupFiles.read(found)
    if files.sha256 != manifest.sums:
        raise SetupError(
            f"The list of files in {found} was changed, cut short or lost: {MANIFEST} has its sha256."
        )
    return found, manifest, files


def read_all_back(files: BackupFiles) -> None:
    """Reads every file of a backup.

    Raises:
        SetupError: one is missing, or is not as it was written.
    """
    for name, digest in files.sums.items():
        read_back(files.folder / name, digest)


def differing(found: dict[str, TableContent], listed: dict[str, TableContent]) -> list[str]:
    """Tables that do not hold what is listed."""
    return [name for name in sorted({*found, *listed}) if found.get(name) != listed.get(name)]


def note_erased(root: Path, ids: Sequence[str]) -> None:
    """Adds accounts to the list of those that no restore brings back."""
    if known := {*erased_in(root), *ids}:
        write_closed(root / ERASED, json.dumps(sorted(known), indent=1))


def erased_in(root: Path) -> list[str]:
    """The ids of the accounts that no restore from this directory brings back.

    Raises:
        SetupError: the list cannot be read.
    """
    path = root / ERASED
    if not path.is_file():
        return []
    try:
        return [str(known) for known in _IDS.validate_json(path.read_bytes())]
    except ValidationError:
        raise SetupError(f"{path} cannot be read. It says who was erased: put it back from a copy.") from None
