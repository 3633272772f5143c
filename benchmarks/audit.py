"""Sealing and checking the event log of a season: pages against all rows at once, and who writes meanwhile."""

import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.services import installation
from server import events
from server.audit.chain import BEGINNING, WRITTEN, linked
from server.audit.checking import check
from server.audit.models import Link
from server.audit.service import seal_all
from server.database import SessionFactory, unit_of_work
from server.events import Event
from server.tables import open_database

Way = Callable[[Session], None]

_EVENTS, _QUIET, _LEAST_BUSY = 1_000_000, 500, 0.25
_FILL = """
INSERT INTO events (id, subject, subject_id, old, new, claim_no, actor)
SELECT cast(lpad(to_hex(1764000000000 + number), 12, '0') || '70008000' || lpad(to_hex(number), 12, '0') AS uuid),
    'case_run', gen_random_uuid(), 'waiting', 'running', 1, 'worker:run-1'
FROM generate_series(1, :count) AS number
"""


def run() -> list[Comparison]:
    """A million events: sealed while somebody writes, then checked in two ways, each in a process of its own."""
    with installation() as settings:
        sessions = open_database(settings.database_url)
        with unit_of_work(sessions) as session:
            session.execute(text(_FILL), {"count": _EVENTS})
        with unit_of_work(sessions) as session:
            session.execute(text("ANALYZE events"))
        quiet = [_write(sessions) for _ in range(_QUIET)]
        sealing, busy = _sealed_while_writing(sessions)
        sessions.kw["bind"].dispose()
        pages, at_once = (_alone(way, settings.database_url) for way in (_by_pages, _at_once))
    name = f"the chain over {_EVENTS:,} events"
    return [
        Comparison(
            f"checking {name}",
            Side(f"page by page, {pages[1]:,.0f} MB of memory", (pages[0],)),
            Side(f"all rows at once, {at_once[1]:,.0f} MB", (at_once[0],)),
        ),
        Comparison(f"sealing {name}", Side("in batches", (sealing,)), Side("checking it", (pages[0],))),
        Comparison(
            "writing an event, committed",
            Side("while it is sealed", tuple(busy)),
            Side("while nobody seals", tuple(quiet)),
            least=_LEAST_BUSY,
        ),
    ]


def _sealed_while_writing(sessions: SessionFactory) -> tuple[float, list[float]]:
    """Seconds that sealing takes, and those of each event that another thread writes meanwhile."""
    taken: list[float] = []
    sealer = threading.Thread(target=seal_all, args=(sessions,))
    began = time.perf_counter()
    sealer.start()
    while sealer.is_alive():
        taken.append(_write(sessions))
    sealer.join()
    return time.perf_counter() - began, taken


def _write(sessions: SessionFactory) -> float:
    began = time.perf_counter()
    with unit_of_work(sessions) as session:
        events.record(session, "challenge", UUID(int=1), actor="bench", what="an act")
    return time.perf_counter() - began


def _alone(way: Way, url: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_measured, way, url).result()


def _measured(way: Way, url: str) -> tuple[float, float]:
    sessions = open_database(url)
    began = time.perf_counter()
    with unit_of_work(sessions) as session:
        way(session)
    taken = time.perf_counter() - began
    return taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _by_pages(session: Session) -> None:
    found = check(session)
    if found.broken or found.checked < _EVENTS:
        raise RuntimeError(f"{found.checked} links, {found.broken} broken")


def _at_once(session: Session) -> None:
    query = select(Link.seq, Link.sealed_at, Link.hash, WRITTEN).join(Event, Event.id == Link.event_id)
    before = BEGINNING
    for seq, sealed_at, hash_, written in session.execute(query.order_by(Link.seq)).all():
        if linked(before, seq, sealed_at, written) != hash_:
            raise RuntimeError(f"link {seq} is broken")
        before = hash_
