"""A thousand open event streams on one server process: what a normal request takes beside them, and what each costs.

Beside them ten evaluations change each second. The alternative: as many who ask for their submission every ten seconds.
"""

import asyncio
import os
import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import select

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.crowd import Ask, Timings
from benchmarks.support.services import installation, server_process
from benchmarks.support.waiting import fill
from contract.accounts import Scope
from server.accounts.models import Account, TokenKind
from server.accounts.tokens import issue
from server.database import unit_of_work
from server.settings import Settings
from server.submissions.models import Submission
from server.tables import open_database

_STREAMS, _EACH = 1_000, 20  # a person has no more
_CASES, _SECONDS, _EVERY, _CHANGES = 5, 20.0, 0.05, 10
_POLL_SECONDS = 10.0
_CHANGE = """
UPDATE evaluations SET priority = 1 - priority, voided = now()::text
WHERE id IN (SELECT id FROM evaluations ORDER BY random() LIMIT %s)
"""
_OPENED_AT_ONCE = 50
_OPEN_SECONDS = 30.0
_RSS = re.compile(r"VmRSS:\s+(\d+) kB")

Paths = list[tuple[str, str]]
"""The path of a submission and a token that may see it."""


def run() -> list[Comparison]:
    """Alone, beside streams, and beside those who ask instead."""
    with installation() as settings:
        paths = _filled(settings)
        url = settings.database_url.replace("postgresql+psycopg", "postgresql")
        with server_process(settings) as (address, process), _changing(url):
            alone = asyncio.run(_probed(address, paths))
            streams = asyncio.run(_beside_streams(address, paths, url, process))
            asking = asyncio.run(_beside_asking(address, paths))
    name = f"GET of a submission, 99th percentile, {len(paths):,} streams ({streams.kib / len(paths):.0f} KiB each, "
    name += f"{streams.events:,} events, {streams.connections} connections of everybody to the database)"
    ours = _side("beside streams", streams.timings)
    return [
        Comparison(name, ours, _side("alone", alone)),
        Comparison(name, ours, _side("beside as many who ask every 10 s", asking)),
    ]


def _side(label: str, timings: Timings) -> Side:
    """The 99th percentile, and how many were not answered with what they asked for."""
    refused = sum(status != 200 for status in timings.statuses)
    return Side(f"{label}, {refused} refused" if refused else label, (timings.percentile(99),))


def _filled(settings: Settings) -> Paths:
    """Submissions of as many teams, and people who may see them."""
    sessions = open_database(settings.database_url)
    with unit_of_work(sessions) as session:
        fill(session, _STREAMS, _CASES)
        tokens = []
        for number in range(-(-_STREAMS // _EACH)):
            account = Account(
                email=f"{number}@example.org",
                name="Bench",
                password_hash="-",  # noqa: S106 - nobody logs in
                is_admin=True,
            )
            session.add(account)
            session.flush()
            token, _ = issue(
                session, TokenKind.SESSION, name="bench", user_id=account.id, scopes=[Scope.READ, Scope.ADMIN]
            )
            tokens.append(token)
        ids = session.scalars(select(Submission.id)).all()
    sessions.kw["bind"].dispose()
    return [(f"/api/v1/submissions/{found}", tokens[number // _EACH]) for number, found in enumerate(ids)]


@contextmanager
def _changing(url: str) -> Iterator[None]:
    """Ten evaluations a second change what is told of them."""
    over = threading.Event()

    def go_on() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not over.wait(1.0):
                connection.execute(_CHANGE, [_CHANGES])

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@dataclass(frozen=True)
class _Streams:
    """Requests beside streams, database connections meanwhile, events that were read, and KiB of all streams."""

    timings: Timings
    connections: int
    events: int
    kib: int


async def _beside_streams(address: str, paths: Paths, url: str, process: int) -> _Streams:
    events, before = 0, _rss(process)

    async def read(reader: asyncio.StreamReader) -> None:
        nonlocal events
        while line := await reader.readline():
            events += line.startswith(b"id:")

    writers, readers = [], []
    for first in range(0, len(paths), _OPENED_AT_ONCE):
        opened = await asyncio.gather(
            *(
                _opened(address, f"{path}/events", token)
                for path, token in paths[first : first + _OPENED_AT_ONCE]
            )
        )
        for reader, writer in opened:
            writers.append(writer)
            readers.append(asyncio.create_task(read(reader)))
    timings = await _probed(address, paths)
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    after = _rss(process)
    if any(task.done() for task in readers):
        raise RuntimeError(f"{sum(task.done() for task in readers)} streams ended")
    for task in readers:
        task.cancel()
    for writer in writers:
        writer.close()
    return _Streams(timings, int(found[0]) if found else 0, events, after - before)


async def _opened(address: str, path: str, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_OPEN_SECONDS):
        reader, writer = await _sent(address, path, token)
        head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(f"a stream was refused: {head.decode(errors='replace')}")
    return reader, writer


async def _beside_asking(address: str, paths: Paths) -> Timings:
    beside = asyncio.ensure_future(_asking(address, paths))
    try:
        return await _probed(address, paths)
    finally:
        beside.cancel()


async def _asking(address: str, paths: Paths) -> None:
    """Everybody asks for their submission, each at a moment of their own."""

    async def ask(path: str, token: str) -> None:
        await asyncio.sleep(random.uniform(0, _POLL_SECONDS))  # noqa: S311 - nothing secret
        while True:
            await _status(address, path, token)
            await asyncio.sleep(_POLL_SECONDS)

    await asyncio.gather(*(ask(path, token) for path, token in paths))


async def _probed(address: str, paths: Paths) -> Timings:
    """One request after the other, for a while."""
    timings, until = Timings(), time.monotonic() + _SECONDS
    while time.monotonic() < until:
        path, token = random.choice(paths)  # noqa: S311 - nothing secret
        began = time.perf_counter()
        status = await _status(address, path, token)
        timings.add(status, time.perf_counter() - began)
        await asyncio.sleep(_EVERY)
    return timings


async def _status(address: str, path: str, token: str) -> int:
    reader, writer = await _sent(address, path, token)
    answer = await reader.read(-1)
    writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0


async def _sent(address: str, path: str, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(Ask("GET", path, {"Authorization": f"Bearer {token}"}).wire(address))
    return reader, writer


def _rss(process: int) -> int:
    """Resident KiB of a process."""
    found = _RSS.search(Path(f"/proc/{process}/status").read_text())
    if found is None:
        raise RuntimeError(f"process {process} of {os.uname().nodename} is gone")
    return int(found[1])
