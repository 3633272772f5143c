"""A restore ends whole, or what it made goes again: at once, or before the next try where it was killed.

Until it has ended, a file in the directory says that all that lies there is of a restore; in a database of one's own
a table says so, for where there is one the directory may hold mounted folders alone, and take no file of its own.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from server.recovery.unfinished import RESTORE_LOCK, RESTORING
from worker.admin._backup_files import TREES
from worker.embedded.account import SetupError
from worker.embedded.data import prepare
from worker.embedded.postgres import Postgres
from worker.embedded.process import ServiceError

_FILE = "restore.unfinished"
_NOTE = "A restore that has not ended fills this directory. 'proctor-admin restore' begins it anew.\n"
_TWICE = "Another restore into {} is under way. Let it end first."
_THINGS = """
SELECT 'TABLE', quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p') AND nspname = 'public' AND relname <> %(mark)s
UNION ALL
SELECT 'ROUTINE', pg_proc.oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""

_END_LEFT = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = 'pg_restore'
"""


def unfinished(directory: Path) -> str | None:
    """What is wrong where a restore into a directory has not ended; None where none was begun, or it has."""
    if not (directory / _FILE).exists():
        return None
    return (
        f"A restore into {directory} did not end, so what lies there is not whole. Run it again, which begins anew; "
        "or remove the directory."
    )


@contextmanager
def into_directory(directory: Path) -> Iterator[None]:
    """The block fills a directory that was empty, with a database in it; if it raises, it is empty again.

    Raises:
        SetupError: another restore fills it.
    """
    prepare(directory)
    with (directory / _FILE).open("a") as mark:
        _require_alone(mark.fileno(), directory)
        mark.write(_NOTE)
        mark.flush()
        try:
            yield
        except BaseException:
            empty(directory)
            raise
        (directory / _FILE).unlink()


def take_back(directory: Path) -> bool:
    """Removes what a restore left that was killed; False where there is nothing of one.

    Raises:
        SetupError: it is under way.
    """
    if unfinished(directory) is None:
        return False
    with (directory / _FILE).open("a") as mark:
        _require_alone(mark.fileno(), directory)
        Postgres(directory).end_orphan()
        empty(directory)
    return True


def _require_alone(mark: int, directory: Path) -> None:
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SetupError(_TWICE.format(directory)) from None


def entries(folder: Path) -> list[Path]:
    """What a folder holds, without what every disk has at its top."""
    found = folder.iterdir() if folder.is_dir() else ()
    return [path for path in found if path.name != "lost+found"]


def empty(directory: Path) -> None:
    """Removes what lies in a directory; folders that volumes are mounted on stay. What says so goes last."""
    for path in sorted(entries(directory), key=lambda path: path.name == _FILE):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


class OwnDatabase:
    """A database of one's own that a restore fills, beside the folders of an installation in `directory`."""

    def __init__(self, url: str, directory: Path) -> None:
        self._url, self._directory = make_url(url), directory

    @contextmanager
    def filling(self) -> Iterator[None]:
        """The block fills both, which were empty; if it raises they are empty again.

        Raises:
            SetupError: another restore fills it.
        """
        with self._alone() as connection:
            connection.execute(_of_mark("CREATE TABLE {} (directory text NOT NULL)"))
            connection.execute(_of_mark("INSERT INTO {} VALUES (%s)"), [str(self._directory)])
            try:
                yield
            except BaseException:
                empty(self._directory)
                with suppress(psycopg.OperationalError):  # the next try begins with it
                    self._empty(connection)
                raise
            connection.execute(_of_mark("DROP TABLE {}"))

    def take_back(self) -> bool:
        """Removes what a restore left that was killed; False where there is nothing of one.

        Raises:
            SetupError: it is under way.
        """
        with self._alone() as connection:
            there = connection.execute("SELECT to_regclass(%s)", [f"public.{RESTORING}"]).fetchone()
            if there is None or there[0] is None:
                return False
            connection.execute(_END_LEFT)
            row = connection.execute(_of_mark("SELECT directory FROM {}")).fetchone()
            if row == (str(self._directory),):
                for tree in TREES[:-1]:  # keys are not restored beside a database of one's own
                    empty(self._directory / tree)
            self._empty(connection)
        return True

    @contextmanager
    def _alone(self) -> Iterator[psycopg.Connection]:
        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            connection = psycopg.connect(address, autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            raise ServiceError(
                f"The database does not answer: {self._url.render_as_string()}\n{error}"
            ) from None
        with connection:
            if connection.execute("SELECT pg_try_advisory_lock(%s)", [RESTORE_LOCK]).fetchone() != (True,):
                raise SetupError(_TWICE.format(self._url.render_as_string()))
            yield connection

    def _empty(self, connection: psycopg.Connection) -> None:
        """Removes every table and function of it. What says so goes last."""
        with connection.transaction():
            for kind, name in connection.execute(_THINGS, {"mark": RESTORING}).fetchall():
                connection.execute(sql.SQL(f"DROP {kind} IF EXISTS {name} CASCADE"))
            connection.execute(_of_mark("DROP TABLE {}"))


def _of_mark(statement: LiteralString) -> sql.Composed:
    """A statement about the table that says that a restore has not ended."""
    return sql.SQL(statement).format(sql.Identifier("public", RESTORING))
