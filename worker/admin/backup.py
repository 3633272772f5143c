"""`proctor-admin backup` and `restore`: an installation as a directory that can be looked at, and back again."""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from evaluator.terminal import say
from server.blobs import BlobStore
from server.settings import BACKED_UP
from worker.admin._backup import (
    DUMP,
    IN_BACKUPS,
    KEPT,
    UNFINISHED,
    BackupManifest,
    FileCount,
    counted_files,
    dump,
    load,
    row_counts,
)
from worker.admin.context import fail
from worker.admin.options import Data
from worker.embedded.account import SetupError
from worker.embedded.data import data_directory, make_directory, prepare
from worker.embedded.postgres import AlreadyRuns, Postgres
from worker.embedded.process import ServiceError

app = typer.Typer()
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The directory of the backup.")]


@app.command("backup")
def backup(
    folder: Folder,
    data: Data = None,
) -> None:
    """Copy the installation into DIR, running or not. Into the same DIR again, only what is new is copied.

    DIR then holds everything, keys and labels too: keep it as closed as the installation, and on another disk.
    """
    directory = _embedded(data)
    if not (directory / "postgres").is_dir():
        fail(f"There is no installation in {directory}. Name its directory with --data or PROCTOR_DATA.")
    folder = folder.absolute()
    if folder == directory or directory in folder.parents:
        fail(f"{folder} is inside the installation. A backup belongs on another disk.")
    _refuse_other(folder)
    make_directory(folder, 0o700)
    with _sentences(), _running(directory) as postgres, BlobStore(directory / "blobs").still():
        # In this order, and no blob is removed meanwhile: so no row of the dump refers to one that is missing.
        rows = dump(postgres, folder / DUMP)
        files = {name: _copied(directory / name, folder / name) for name in KEPT}
        BackupManifest(rows=rows, files=files).write(folder)
    (directory / BACKED_UP).write_text(datetime.now(UTC).isoformat())
    say(f"{folder}: {_said(rows, files)}")


@app.command("restore")
def restore(
    folder: Folder,
    data: Annotated[
        Path | None, typer.Option(help="The new installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Make an installation of the backup in DIR, in a directory that holds none, and compare the two.

    Rows and files are counted against what the backup says it holds. Start it with 'proctor-admin up'.
    """
    directory = _embedded(data)
    manifest = BackupManifest.read(folder)
    if manifest is None:
        fail(f"{folder} is no whole backup: manifest.json is missing or cannot be read. It is written last.")
    there = [name for name in ("postgres", *KEPT) if (directory / name).exists()]
    if there:
        fail(
            f"{directory} holds {', '.join(there)} already. Restore into a directory that holds no installation."
        )
    with _sentences():
        prepare(directory)
        for name in KEPT:
            _copied(folder / name, directory / name)
        with _running(directory) as postgres:
            load(postgres, folder / DUMP)
            rows = row_counts(postgres)
    files = {name: counted_files(directory / name) for name in KEPT}
    if (rows, files) != (manifest.rows, manifest.files):
        fail(f"{directory} is not what the backup says it holds. {manifest.difference(rows, files)}")
    start = f"proctor-admin up --data {shlex.quote(str(directory))}"
    say(f"{directory}: identical with the backup, {_said(rows, files)}. Start it: {start}")


def _refuse_other(folder: Path) -> None:
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in there:
        if path.name not in IN_BACKUPS and not path.name.startswith("."):
            fail(
                f"{folder} holds {path.name}, which is of no backup. Name a directory that is new, empty, or a backup."
            )


def _embedded(data: Path | None) -> Path:
    if "DATABASE_URL" in os.environ:
        fail(
            "DATABASE_URL is set: a database of your own is backed up with pg_dump, and PROCTOR_DATA with tar."
        )
    return data.absolute() if data else data_directory()


@contextmanager
def _running(directory: Path) -> Iterator[Postgres]:
    """The installation's database: the one that runs, or started for as long as the block lasts."""
    postgres = Postgres(directory)
    try:
        postgres.start()
    except AlreadyRuns:
        yield postgres
        return
    try:
        yield postgres
    finally:
        postgres.stop()


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except (SetupError, ServiceError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or 'A file'}: {error.strerror or error}. The backup is not whole.")


def _copied(source: Path, target: Path) -> FileCount:
    """Copies what is not there yet; a file that is there with the same size and time is the same one."""
    make_directory(target, 0o700)
    if source.is_dir():
        ignored = shutil.ignore_patterns(UNFINISHED)
        shutil.copytree(
            source, target, copy_function=_copy, symlinks=True, dirs_exist_ok=True, ignore=ignored
        )
    return counted_files(target)


def _copy(source: str, target: str) -> str:
    had, has = Path(target), Path(source)
    if not had.is_file() or _signature(had) != _signature(has):
        shutil.copy2(source, target)
    return target


def _signature(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, int(state.st_mtime)


def _said(rows: dict[str, int], files: dict[str, FileCount]) -> str:
    count, size = sum(file.count for file in files.values()), sum(file.bytes for file in files.values())
    return f"{sum(rows.values()):,} rows in {len(rows)} tables, {count:,} files with {size / 1e6:,.1f} MB"
