"""The parts of a backup: the database as one file, what belongs to it, and a list of both."""

import os
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql
from pydantic import BaseModel, ValidationError

from worker.embedded import binaries
from worker.embedded.account import service_account
from worker.embedded.data import secret
from worker.embedded.postgres import DATABASE, ROLE, Postgres
from worker.embedded.process import ServiceError

KEPT = ("blobs", "inputs", "references", "secrets")
"""The directories that an installation cannot do without."""
UNFINISHED = "incoming"
"""What the blob store is still writing; it is nothing yet."""
DUMP = "database.dump"
_MANIFEST = "manifest.json"
IN_BACKUPS = frozenset((*KEPT, DUMP, _MANIFEST, "lost+found"))
"""What may lie in a backup's directory, with what a file system has at its root."""


class FileCount(BaseModel):
    """Files of a tree, and their bytes together."""

    count: int
    bytes: int


class BackupManifest(BaseModel):
    """What a backup holds: rows by table, of one moment, and files by directory."""

    rows: dict[str, int]
    files: dict[str, FileCount]

    def write(self, folder: Path) -> None:
        """Writes the list, in one step."""
        fresh = folder / f".{_MANIFEST}"
        fresh.write_text(self.model_dump_json(indent=2))
        fresh.replace(folder / _MANIFEST)

    @classmethod
    def read(cls, folder: Path) -> "BackupManifest | None":
        """The list of a backup; None if it has none that can be read."""
        try:
            return cls.model_validate_json((folder / _MANIFEST).read_text())
        except (OSError, ValidationError):
            return None

    def difference(self, rows: dict[str, int], files: dict[str, FileCount]) -> str:
        """A sentence that names what is not as the list says."""
        tables = [name for name in sorted({*rows, *self.rows}) if rows.get(name) != self.rows.get(name)]
        trees = [name for name in sorted({*files, *self.files}) if files.get(name) != self.files.get(name)]
        return f"Other than listed: {', '.join([*tables, *trees])}."


def dump(postgres: Postgres, target: Path) -> dict[str, int]:
    """Writes the database to `target`, in one step; the rows of each table in it.

    Raises:
        ServiceError: the database does not answer, or pg_dump says why it cannot.
    """
    fresh = target.with_name(f".{target.name}")
    with _connected(postgres) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        rows = _counted(connection)
        _run(postgres, "pg_dump", f"--snapshot={snapshot}", "-Fc", f"--file={fresh}", DATABASE)
    fresh.replace(target)
    return rows


def load(postgres: Postgres, source: Path) -> None:
    """Fills an empty database with what `dump` wrote.

    Raises:
        ServiceError: pg_restore says why it cannot.
    """
    _run(postgres, "pg_restore", "--exit-on-error", f"--dbname={DATABASE}", str(source))


def row_counts(postgres: Postgres) -> dict[str, int]:
    """Rows by table."""
    with _connected(postgres) as connection:
        return _counted(connection)


def counted_files(tree: Path) -> FileCount:
    """The files of a tree that are whole."""
    sizes = [
        path.lstat().st_size
        for path in tree.rglob("*")
        if not path.is_dir() and UNFINISHED not in path.relative_to(tree).parts[:1]
    ]
    return FileCount(count=len(sizes), bytes=sum(sizes))


def _connected(postgres: Postgres) -> psycopg.Connection:
    try:
        return postgres.connect(DATABASE)
    except psycopg.OperationalError as error:
        raise ServiceError(f"The database of {postgres.data} does not answer: {error}") from None


def _counted(connection: psycopg.Connection) -> dict[str, int]:
    names = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    ).fetchall()
    counts = {}
    for (name,) in names:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
        (counts[name],) = connection.execute(query).fetchone() or (0,)
    return counts


def _run(postgres: Postgres, program: str, *words: str) -> None:
    home = binaries.postgres_home(postgres.data, service_account())
    ended = subprocess.run(
        [home / "bin" / program, f"--host={postgres.socket_directory}", f"--username={ROLE}", *words],
        env={**os.environ, "PGPASSWORD": secret(postgres.data, "postgres_password")},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise ServiceError(f"{program} failed:\n{ended.stderr.strip()[-2000:]}")
