"""A season's queue in any state, and what the processes that serve it use."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, event

from benchmarks.support.waiting import fill
from contract.leases import SlotOffer
from server.accounts.service import authenticate_run_worker
from server.accounts.tokens import create_worker_token
from server.database import unit_of_work
from server.datasets.models import Case
from server.evaluations.models import CaseRun
from server.queue.claim import claim
from server.settings import Settings
from server.tables import open_database

ENTRIES = 60
_CASE = {"id": "gen_random_uuid()", "ordinal": "n", "name": "'sub-' || n"}
_RUN = {
    "id": "gen_random_uuid()",
    "case_id": "cases.id",
    "position": "cases.ordinal",
    "pseudonym": "'case_' || cases.ordinal",
}
_FINISHED = {
    "status": "'done'",
    "claim_no": "1",
    "verdict": "'valid'",
    "message": "'valid'",
    "worker": "'slot-0'",
    "worker_id": "%(worker)s",
    "mode": "'fresh'",
    "started_at": "now()",
    "finished_at": "now()",
    "output": "'sha256:' || encode(sha256((old.id::text || cases.ordinal)::bytea), 'hex')",
}
"""As a run worker's finish leaves a case."""
_STATE = """
UPDATE evaluations SET remaining = %(each)s - %(done)s, seconds = %(done)s * 10,
    status = CASE WHEN %(done)s > 0 THEN 'running' ELSE status END
"""


@dataclass(frozen=True)
class Used:
    """Seconds of processor time and bytes, since the processes and the database began."""

    server_cpu: float
    database_cpu: float
    server_memory: int
    database_memory: int
    database: int
    log: int


def season(settings: Settings, each: int, slots: int, done: float) -> str:
    """Fills the database with `each` cases of every entry, that share of them finished; the token of a run worker."""
    sessions = open_database(settings.database_url, pool_size=1)
    with unit_of_work(sessions) as session:
        fill(session, ENTRIES, 1)
        token = create_worker_token(session, "capacity", slots=slots)
        worker = authenticate_run_worker(session, token).id
    sessions.kw["bind"].dispose()
    finished = {"done": int(each * done), "each": each, "worker": str(worker)}
    with psycopg.connect(_url(settings), autocommit=True, cursor_factory=psycopg.ClientCursor) as database:
        # keys are not looked up for each row: all of them are copies of rows that hold
        database.execute("SET session_replication_role = replica")
        _copy(database, Case, _CASE, "generate_series(1, %(each)s - 1) AS n", finished)
        later = "cases WHERE old.position = 0 AND cases.ordinal > %(done)s"
        _copy(database, CaseRun, _RUN, later, finished)
        earlier = "cases WHERE old.position = 0 AND cases.ordinal BETWEEN 1 AND %(done)s"
        _copy(database, CaseRun, _RUN | _FINISHED, earlier, finished)
        database.execute(_STATE, finished)
        database.execute("VACUUM ANALYZE")
    return token


def _copy(
    database: psycopg.Connection,
    table: type[Case | CaseRun],
    made: dict[str, str],
    times: str,
    values: dict[str, Any],
) -> None:
    """Copies rows once for each of `times`, with the columns `made` made anew."""
    names = [column.name for column in table.__table__.columns]
    columns = ", ".join(made.get(name, f"old.{name}") for name in names)
    target = f"INSERT INTO {table.__tablename__} ({', '.join(names)})"
    database.execute(f"{target} SELECT {columns} FROM {table.__tablename__} AS old, {times}", values)  # noqa: S608 - words of this file


def claim_plan(settings: Settings, token: str) -> str:
    """What PostgreSQL did for one claim, as EXPLAIN (ANALYZE, BUFFERS) has it; nothing stays leased."""
    sessions = open_database(settings.database_url, pool_size=1)
    seen: list[tuple[str, Any]] = []

    def note(_: Connection, __: Any, statement: str, values: Any, *___: Any) -> None:
        if "SKIP LOCKED" in statement:
            seen.append((statement, values))

    engine = sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", note)
    slot = SlotOffer(name="slot-0", cpus=64, memory=2**40, gpus=1, gpu_memory=2**40)
    with sessions() as session:
        claim(session, authenticate_run_worker(session, token), slot, settings=settings)
        session.rollback()
        statement, values = seen[0]
        lines = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values)
        plan = "\n".join(lines.scalars())
        session.rollback()
    engine.dispose()
    return plan


def used(settings: Settings, server: int) -> Used:
    """What the server's process and the database have used until now."""
    first = int((settings.data / "postgres" / "postmaster.pid").read_text().split()[0])
    children = _children(first)
    with psycopg.connect(_url(settings), autocommit=True) as database:
        size = database.execute(
            "SELECT pg_database_size(current_database()), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
        ).fetchone()
    assert size is not None
    return Used(
        server_cpu=_cpu(server),
        # of those that have ended it keeps the sum
        database_cpu=_cpu(first, ended=True) + sum(map(_cpu, children)),
        server_memory=_memory(server),
        database_memory=sum(map(_memory, [first, *children])),
        database=size[0],
        log=size[1],
    )


def _url(settings: Settings) -> str:
    return settings.database_url.replace("postgresql+psycopg", "postgresql")


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _cpu(process: int, *, ended: bool = False) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


def _memory(process: int) -> int:
    """Its share of memory: what several processes share is counted once over them all."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
