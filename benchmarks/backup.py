"""Backup and restore of 100,000 case runs and outputs, against pg_dump, pg_restore and cp, which compare nothing."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import insert, select, text
from sqlalchemy.engine import make_url

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.services import installation
from benchmarks.support.waiting import fill
from server.blobs import FileStore
from server.database import unit_of_work
from server.evaluations.models import CaseRun
from server.evaluations.receipt_keys import require_own_key
from server.events import Event
from server.ids import new_id
from server.settings import Settings
from server.tables import open_database
from worker.embedded import binaries
from worker.embedded.data import CHECKOUT

_EVALUATIONS, _CASES = 25, 4_000
_DONE = text("""
UPDATE case_runs SET status = 'done', verdict = 'valid', claim_no = 1, worker = 'run-' || position % 4, seconds = 2,
    output = 'sha256:' || encode(sha256(convert_to(id::text || E'\\n', 'UTF8')), 'hex'),
    started_at = now() - make_interval(secs => 3 * position), finished_at = now() - make_interval(secs => 3 * position)
""")


def run() -> list[Comparison]:
    """A first backup, one where nothing changed since, and a restore elsewhere with all that it compares."""
    with installation() as settings, _folder() as place:
        _fill(settings)
        ours, plain = place / "ours", place / "plain"
        programs = binaries.postgres_home(settings.data, None) / "bin"
        first, again = (_timed(lambda: _admin(settings, "backup", ours)) for _ in range(2))
        copied = _timed(lambda: _copy(settings, plain, programs))
        url, other = (_database(settings, name) for name in ("restored", "loaded"))
        elsewhere = settings.model_copy(update={"data": place / "new", "database_url": url})
        restored = _timed(lambda: _admin(elsewhere, "restore", ours))
        loaded = _timed(lambda: _load(plain, place / "loaded", other, programs))
    tools = "pg_dump and cp -a"
    return [
        Comparison(f"backup of {_WHAT}", Side("backup", (first,)), Side(tools, (copied,))),
        Comparison(f"the next one of {_WHAT}", Side("backup", (again,)), Side(tools, (copied,))),
        Comparison(
            f"restore of {_WHAT}", Side("restore", (restored,)), Side("pg_restore and cp -a", (loaded,))
        ),
    ]


_WHAT = f"{_EVALUATIONS * _CASES:,} case runs, as many outputs, 200,000 events"


def _fill(settings: Settings) -> None:
    sessions = open_database(settings.database_url, pool_size=1)
    with unit_of_work(sessions) as session:
        require_own_key(session, settings)
        fill(session, _EVALUATIONS, _CASES)
        session.execute(_DONE)
        session.execute(text("UPDATE evaluations SET status = 'scoring', remaining = 0"))
        ids = session.scalars(select(CaseRun.id)).all()
        moves = [("waiting", "running"), ("running", "done")]
        rows = [
            {
                "id": new_id(),
                "subject": "case_run",
                "subject_id": id_,
                "old": old,
                "new": new,
                "actor": "platform",
            }
            for id_ in ids
            for old, new in moves
        ]
        session.execute(insert(Event), rows)
    sessions.kw["bind"].dispose()
    for id_ in ids:
        content = f"{id_}\n".encode()
        path = FileStore(settings.data / "blobs").path(f"sha256:{hashlib.sha256(content).hexdigest()}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextmanager
def _folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="proctor-backups-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    os.sync()
    return time.perf_counter() - began


def _admin(settings: Settings, *words: str | Path) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    _call(sys.executable, "-m", "worker.admin", *words, environment=environment)


def _copy(settings: Settings, target: Path, programs: Path) -> None:
    target.mkdir()
    _call(
        programs / "pg_dump", f"--dbname={_plain(settings.database_url)}", "-Fc", f"--file={target / 'dump'}"
    )
    _call("cp", "-a", settings.blobs.root, target / "blobs")


def _load(source: Path, target: Path, url: str, programs: Path) -> None:
    target.mkdir()
    _call(programs / "pg_restore", f"--dbname={_plain(url)}", "--no-owner", source / "dump")
    _call("cp", "-a", source / "blobs", target / "blobs")


def _database(settings: Settings, name: str) -> str:
    sessions = open_database(settings.database_url, pool_size=1)
    with sessions.kw["bind"].connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    sessions.kw["bind"].dispose()
    return make_url(settings.database_url).set(database=name).render_as_string(hide_password=False)


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _call(*words: str | Path, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(list(words), env=environment, cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
