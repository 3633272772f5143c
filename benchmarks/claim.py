"""Leasing a case out of 100,000 that wait, against 5 ms, the barest queue in the same PostgreSQL, and eight at once."""

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import psycopg

from benchmarks.support.compare import Comparison, Side, compare
from benchmarks.support.services import installation
from benchmarks.support.waiting import fill
from contract.leases import SlotOffer
from server.accounts.principals import RunWorker
from server.accounts.service import authenticate_run_worker
from server.accounts.tokens import create_worker_token
from server.database import SessionFactory, unit_of_work
from server.evaluations.service import Claim
from server.queue.claim import Leased, claim
from server.queue.leases import heartbeat
from server.settings import Settings
from server.tables import open_database

_SHAPES = ((25, 4000, 1.0), (1000, 100, None))
"""Evaluations, each of a team of its own, the cases of each, and what is promised against `_BOUND`.

A thousand teams at once are shown against it too, but promised against the bare update only: their rows are read and
put in order at each claim, and some machines need more than the bound for that.
"""
_BOUND, _LEAST_OF_BARE = 5e-3, 0.04
"""Seconds that one claim may take, committed, by the clock; and its speed where that of a bare update is 1."""
_REPEAT, _UNPLANNED = 200, 50
_HELD, _LEAST_RENEWAL = 100, 8.0
_CLAIMERS, _CLAIMS, _LEAST_TOGETHER = 8, 50, 0.7
_SLOT = SlotOffer(name="bench", cpus=64, memory=2**40, gpus=1, gpu_memory=2**40)
_SLOTS, _HOLDS = 10_000, 4
"""Nothing that is claimed here ends, so another slot claims as soon as one holds as much as it may."""
_NUMBERS = itertools.count()
_BARE = """
UPDATE bare SET status = 'running' WHERE id =
    (SELECT id FROM bare WHERE status = 'waiting' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
"""


def run() -> list[Comparison]:
    """Choosing fairly, with lease, slot and event, committed; one claimer, a few evaluations or many."""
    return [comparison for shape in _SHAPES for comparison in _measure(*shape)]


def _measure(teams: int, cases: int, in_time: float | None) -> list[Comparison]:
    with installation() as settings:
        sessions = open_database(settings.database_url, pool_size=_CLAIMERS)
        with unit_of_work(sessions) as session:
            worker = authenticate_run_worker(session, create_worker_token(session, "bench", slots=_SLOTS))
            fill(session, teams, cases)
        unplanned = _times(lambda: _claim(sessions, worker, settings))
        url = settings.database_url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url, autocommit=True) as connection:
            _fill_bare(connection, teams * cases)
            result = compare(
                f"lease one of {teams * cases:,} waiting cases of {teams:,} evaluations",
                ("claim, committed", lambda: _claim(sessions, worker, settings)),
                ("bare SKIP LOCKED update", lambda: _claim_bare(connection)),
                repeat=_REPEAT,
            )
        together = _together(sessions, worker, settings)
        renewal = _renewal(sessions, worker, settings)
        sessions.kw["bind"].dispose()
    bound = Side("the bound", (_BOUND,))
    shared = f"{result.name}, {_CLAIMERS} claimers at once"
    return [
        replace(result, least=_LEAST_OF_BARE),
        Comparison(f"{result.name}, in time", result.ours, bound, least=in_time),
        Comparison(
            f"{result.name}, planned without statistics",
            unplanned,
            Side("with them", result.ours.seconds),
            least=0.5,
        ),
        Comparison(shared, together, Side("one claimer", result.ours.seconds), least=_LEAST_TOGETHER),
        replace(renewal, name=f"{renewal.name}, {teams:,} evaluations", least=_LEAST_RENEWAL),
    ]


def _renewal(sessions: SessionFactory, worker: RunWorker, settings: Settings) -> Comparison:
    """What a slot that serves batches holds at once, renewed together and one after the other, committed each time."""
    held: list[Claim] = []
    for _ in range(_HELD):
        with unit_of_work(sessions) as session:
            leased = claim(session, worker, _slot(), settings=settings)
            if not isinstance(leased, Leased):
                raise RuntimeError("no case was leased")
            held += [Claim(leased_run.id, leased_run.claim_no, worker.id) for leased_run in leased.runs]

    def renew(claims: Sequence[Claim]) -> None:
        with unit_of_work(sessions) as session:
            if heartbeat(session, claims, worker, settings=settings):
                raise RuntimeError("a lease was lost")

    def one_by_one() -> None:
        for lease in held:
            renew([lease])

    name = f"renew {_HELD} leases"
    return compare(name, ("one heartbeat", lambda: renew(held)), ("one each", one_by_one), repeat=10)


def _slot(kind: str = "bench", number: int | None = None) -> SlotOffer:
    """The slot that makes this claim."""
    name = f"{kind}-{(next(_NUMBERS) if number is None else number) // _HOLDS}"
    return _SLOT.model_copy(update={"name": name})


def _claim(
    sessions: SessionFactory, worker: RunWorker, settings: Settings, slot: SlotOffer | None = None
) -> UUID:
    with unit_of_work(sessions) as session:
        leased = claim(session, worker, slot or _slot(), settings=settings)
        if not isinstance(leased, Leased):
            raise RuntimeError("no case was leased")
        return leased.runs[0].id


def _times(work: Callable[[], object]) -> Side:
    """As a rush of submissions on a quiet platform finds the database: its statistics know of none of them."""
    seconds = []
    for _ in range(_UNPLANNED):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return Side("claim, committed", tuple(seconds))


def _together(sessions: SessionFactory, worker: RunWorker, settings: Settings) -> Side:
    """Seconds per claim of slots that claim at the same time, each its own cases; threads of one process."""

    def drain(number: int) -> list[UUID]:
        return [
            _claim(sessions, worker, settings, _slot(f"bench-{number}", place)) for place in range(_CLAIMS)
        ]

    with ThreadPoolExecutor(_CLAIMERS) as pool:
        began = time.perf_counter()
        taken = [seconds for mine in pool.map(drain, range(_CLAIMERS)) for seconds in mine]
        seconds = time.perf_counter() - began
    if len(set(taken)) < len(taken):
        raise RuntimeError("a case was leased twice")
    return Side("a claim", (seconds / len(taken),))


def _claim_bare(connection: psycopg.Connection) -> None:
    if connection.execute(_BARE).rowcount != 1:
        raise RuntimeError("no row was claimed")


def _fill_bare(connection: psycopg.Connection, rows: int) -> None:
    connection.execute("CREATE TABLE bare (id bigint PRIMARY KEY, status text NOT NULL)")
    connection.execute("CREATE INDEX ON bare (id) WHERE status = 'waiting'")
    connection.execute("INSERT INTO bare SELECT n, 'waiting' FROM generate_series(1, %s) AS n", [rows])
    connection.execute("VACUUM ANALYZE")
