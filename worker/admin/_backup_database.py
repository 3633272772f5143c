"""The database of a backup: one dump of one moment, what it holds, and back into an empty database."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from server.database import unit_of_work
from server.recovery.unfinished import RESTORING, UNFINISHED, is_restoring
from server.tables import open_database
from worker.embedded import binaries
from worker.embedded.account import SetupError
from worker.embedded.process import ServiceError

DUMP = "database.dump"


class TableContent(BaseModel):
    """What a table holds: rows, and a sha256 over them all in whatever order."""

    rows: int
    sha256: str


@dataclass(frozen=True)
class Database:
    """A database by its SQLAlchemy address; `data` is where programs of the wheel may be copied to."""

    url: str
    data: Path

    @contextmanager
    def work(self) -> Iterator[Session]:
        """A unit of work.

        Raises:
            ServiceError: it does not answer.
        """
        sessions = open_database(self.url, pool_size=1)
        try:
            with unit_of_work(sessions) as session:
                yield session
        except OperationalError as error:
            where = make_url(self.url).render_as_string()
            raise ServiceError(f"The database does not answer: {where}\n{error.orig}") from None
        finally:
            sessions.kw["bind"].dispose()

    @contextmanager
    def moment(self) -> Iterator[tuple[Session, str]]:
        """A session that sees one moment only, and that moment's name for `dump`.

        Raises:
            SetupError: the database is being restored.
        """
        with self.work() as session:
            if is_restoring(session.connection(execution_options={"isolation_level": "REPEATABLE READ"})):
                raise SetupError(UNFINISHED)
            yield session, str(session.scalar(text("SELECT pg_export_snapshot()")))

    def dump(self, snapshot: str, target: Path) -> None:
        """Writes what was there at that moment.

        Raises:
            ServiceError: pg_dump says why it cannot.
        """
        self._run("pg_dump", f"--snapshot={snapshot}", "-Fc", f"--file={target}")

    def load(self, source: Path) -> None:
        """Fills an empty database with a dump, whole or not at all.

        Raises:
            ServiceError: pg_restore says why it cannot.
        """
        self._run(
            *("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"),
            str(source),
        )

    def _run(self, program: str, *words: str) -> None:
        url = make_url(self.url).set(drivername="postgresql")
        password = {"PGPASSWORD": url.password} if isinstance(url.password, str) else {}
        address = url.set(password=None).render_as_string(hide_password=False)
        ended = subprocess.run(
            [self._programs(program) / program, f"--dbname={address}", *words],
            env={**os.environ, **password},
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise ServiceError(f"{program} failed:\n{ended.stderr.strip()[-2000:]}")

    def _programs(self, program: str) -> Path:
        """The programs of the server's own version where there are any, else the newest."""
        found = {}
        if own := shutil.which(program):
            found[_major(Path(own))] = Path(own).parent
        try:
            wheel = binaries.postgres_home(self.data, None) / "bin"
            found.setdefault(_major(wheel / program), wheel)
        except SetupError:
            if not found:
                raise
        with self.work() as session:
            server = int(str(session.scalar(text("SHOW server_version_num")))) // 10_000
        return found.get(server, found[max(found)])


def _major(program: Path) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"\) (\d+)", told)
    return int(match[1]) if match else 0


_CONTENT = """
SELECT count(*), encode(sha256(coalesce(string_agg(row, ''::bytea ORDER BY row), ''::bytea)), 'hex')
FROM (SELECT sha256(convert_to(whole_row::text, 'UTF8')) AS row FROM {table} AS whole_row) AS rows
"""


def contents(session: Session) -> dict[str, TableContent]:
    """What each table holds."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> :mark ORDER BY 1"
    names = session.scalars(text(query), {"mark": RESTORING})
    quote = session.get_bind().dialect.identifier_preparer.quote_identifier
    found = {}
    for name in names.all():
        # In the order of the digests: nothing says in which order another database keeps its rows.
        rows, digest = session.execute(text(_CONTENT.format(table=quote(name)))).one()
        found[name] = TableContent(rows=rows, sha256=digest)
    return found


def revision(session: Session) -> str:
    """The version of the tables."""
    return str(session.scalar(text("SELECT version_num FROM alembic_version")))


def size(session: Session) -> int:
    """Bytes of the database, at least as many as a dump of it takes."""
    return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def is_empty(session: Session) -> bool:
    """Whether nobody has made a table in it."""
    mine = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    return not session.scalar(text(mine))
