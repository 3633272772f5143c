"""`proctor-admin backup`: an installation as a directory that can be looked at, while it runs."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import func, select

from evaluator.terminal import say
from evaluator.version import evaluator_version
from server.accounts.models import Account
from server.audit.service import head
from server.backups import note_backup
from server.blobs import BlobsAway
from server.disk import gib
from server.evaluations.receipts import public_key
from server.recovery.service import board_digests
from server.settings import Settings
from worker.admin._backup import (
    MANIFEST,
    BackupManifest,
    BucketCount,
    appearing,
    held,
    note_erased,
    read_all_back,
    read_whole,
    require_own,
    thin_out,
    whole_in,
)
from worker.admin._backup_database import DUMP, Database, contents, revision, size
from worker.admin._backup_files import TREES, BackupFiles, FileCount, bytes_to_copy, names_in, sha256_of
from worker.admin.context import fail, settings_of
from worker.admin.options import Data
from worker.embedded.account import SetupError
from worker.embedded.data import make_directory, write_closed
from worker.embedded.postgres import AlreadyRuns, Postgres
from worker.embedded.process import ServiceError

app = typer.Typer()
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The directory of backups, or one backup in it.")]
_SPARE = 64 * 2**20


@app.command("backup")
def backup(
    folder: Folder,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Remove all but the newest so many backups in DIR afterwards.")
    ] = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Leave secrets/ out: keep secrets/secret_key elsewhere.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Make none, but read the newest one, or the one in DIR, back.")
    ] = False,
    data: Data = None,
) -> None:
    """Copy the installation into a new directory in DIR, running or not; what did not change is linked, not copied.

    It holds everything, labels and keys too: keep it as closed as the installation, and on another disk. One that was
    not finished is never taken for one.
    """
    root = folder.absolute()
    with sentences():
        if verify:
            found, manifest, files = read_whole(root)
            read_all_back(files)
            say(f"{found}: as it was written at {manifest.made_at:%Y-%m-%d %H:%M} UTC, {manifest.said}")
            return
        settings = settings_of(data)
        if root == settings.data or settings.data in root.parents:
            fail(f"{root} is inside the installation. A backup belongs on another disk.")
        require_own(root)
        make_directory(root, 0o700)
        with held(root), running(settings), settings.blobs.still():
            made, manifest = _made(root, settings, keys=not without_keys)
        _note(settings, manifest)
        gone = thin_out(root, keep) if keep else 0
    told = f"; {gone} older removed" if gone else ""
    say(f"{made}: {manifest.said}{told}")


def _note(settings: Settings, manifest: BackupManifest) -> None:
    """A backup is whole also where it cannot be noted when it was made."""
    try:
        note_backup(settings.data, manifest.made_at)
    except OSError as error:
        say(f"Pages and figures show an earlier moment: {error.filename}: {error.strerror}.", err=True)


def _made(root: Path, settings: Settings, *, keys: bool) -> tuple[Path, BackupManifest]:
    """No blob is removed meanwhile, and the dump comes first: so no row of it refers to one that is missing."""
    database = Database(settings.database_url, settings.data)
    earlier = BackupFiles.read(last) if (last := next(reversed(whole_in(root)), None)) else BackupFiles(root)
    trees = TREES if keys else TREES[:-1]
    with database.moment() as (session, snapshot):
        _require_room(
            root, bytes_to_copy(settings.data, list(names_in(settings.data, trees)), earlier) + size(session)
        )
        at: datetime = session.scalar(select(func.now())) or datetime.min
        with appearing(root, at) as (fresh, made):
            database.dump(snapshot, fresh / DUMP)
            tables, schema, boards = contents(session), revision(session), board_digests(session)
            sealed = str(head(session))
            erased = session.scalars(select(Account.id).where(Account.erased_at.is_not(None))).all()
            session.commit()  # what is left to do has nothing to do with the database, and may take hours
            files = _files(fresh, settings, earlier, trees)
            listed = files.note_bucket(settings.blobs)
            manifest = BackupManifest(
                made_at=at,
                version=evaluator_version(),
                audit_head=sealed,
                revision=schema,
                receipt_key=public_key(settings),
                keys=keys,
                tables=tables,
                boards=boards,
                files=files.counts,
                sums=files.write(),
                bucket=BucketCount(**listed.model_dump(), place=settings.blobs.where) if listed else None,
            )
            note_erased(root, [str(person) for person in erased])
            (fresh / MANIFEST).write_text(manifest.model_dump_json(indent=2))
            os.sync()  # before it has its name
    if damaged := files.damaged():
        first = ", ".join(damaged[:3])
        say(f"{len(damaged)} blobs of this installation are not what their names say: {first}", err=True)
    return made, manifest


def _files(fresh: Path, settings: Settings, earlier: BackupFiles, trees: tuple[str, ...]) -> BackupFiles:
    files = BackupFiles(fresh, {DUMP: sha256_of(fresh / DUMP)})
    for name in names_in(settings.data, trees):
        files.take(name, settings.data, earlier)
    own = "secrets/secret_key"
    if "secrets" in trees and own not in files.sums:  # where it comes from the environment
        make_directory(fresh / "secrets", 0o700)
        path = write_closed(fresh / own, settings.secret_key.get_secret_value())
        files.sums[own] = sha256_of(path)
        files.counts["secrets"] = FileCount(count=1, bytes=path.stat().st_size)
    return files


def _require_room(root: Path, needed: int) -> None:
    free = shutil.disk_usage(root).free
    if needed + _SPARE > free:
        told = f"This backup takes {gib(needed)} at most, and the disk with {root} has {gib(free)} free."
        raise SetupError(f"{told} Make room, or name another disk. Nothing was written.")


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """The installation's database: the one that runs, or started for as long as the block lasts."""
    if "DATABASE_URL" in os.environ:
        yield
        return
    postgres = Postgres(settings.data)
    try:
        postgres.start()
    except AlreadyRuns:
        yield
        return
    try:
        yield
    finally:
        postgres.stop()


@contextmanager
def sentences(otherwise: str = "The backup is not whole, and none was made.") -> Iterator[None]:
    """What goes wrong in the block ends the command with its sentence."""
    try:
        yield
    except (SetupError, ServiceError) as error:
        fail(str(error))
    except BlobsAway as away:
        fail(f"{away.why} {otherwise}")
    except OSError as error:
        fail(f"{error.filename or 'A file'}: {error.strerror or error}. {otherwise}")
