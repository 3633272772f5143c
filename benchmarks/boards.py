"""A board of 50 teams with 6,000 evaluations that everybody asks for, against one that is made for each who asks.

What counts is the server's processor time for a request: requests per second and core are its inverse.
"""

import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.support.boards import PHASE, SLUG, fill
from benchmarks.support.compare import Comparison, Side
from benchmarks.support.services import installation, server_process
from server.database import unit_of_work
from server.tables import open_database

_BOUND = 1 / 2_000
"""Seconds of processor that one request may cost: 2,000 a second and core."""
_IN_TIME = 5e-3
"""Seconds by the clock in which whoever knows the board is told that it is the same."""
_ROUNDS, _REQUESTS, _MADE = 5, 2_000, 5
_FORMS = ("json", "csv", "html")


def run() -> list[Comparison]:
    """Unchanged, in each form and for who knows it already; and changed before each request."""
    with installation() as settings:
        sessions = open_database(settings.database_url)
        with unit_of_work(sessions) as session:
            fill(session)
        sessions.kw["bind"].dispose()
        url = settings.database_url.replace("postgresql+psycopg", "postgresql")
        with (
            server_process(settings) as (address, process),
            psycopg.connect(url, autocommit=True) as database,
        ):
            return _measure(Asker(address, process), database)


def _measure(asker: "Asker", database: psycopg.Connection) -> list[Comparison]:
    def changed() -> None:
        database.execute("SELECT pg_notify('boards', id::text) FROM challenges")
        time.sleep(0.05)  # it is on its way
        asker.ask("json")

    anew = Side("made for each", tuple(asker.processor(changed, 1) for _ in range(_MADE)))
    bound, results = Side("the bound", (_BOUND,)), []
    for form in _FORMS:
        tag = asker.tag(form)
        for label, headers in (
            (form, ()),
            (f"{form}, gzip", ("Accept-Encoding: gzip",)),
            (f"{form}, known", (f"If-None-Match: {tag}",)),
        ):
            asker.ask(form, *headers)
            seconds = [asker.processor(_asks(asker, form, *headers), _REQUESTS) for _ in range(_ROUNDS)]
            ours = Side("from memory", tuple(seconds))
            results.append(Comparison(f"board, {label}, processor", ours, bound, least=1.0))
            if not headers and form == "json":
                results.append(Comparison(f"board, {label}, processor", ours, anew, least=50.0))
    known = (f"If-None-Match: {asker.tag('json')}",)
    results.append(
        Comparison(
            "board, known, by the clock",
            Side("from memory", tuple(asker.seconds("json", *known) for _ in range(_REQUESTS))),
            Side("the bound", (_IN_TIME,)),
            least=1.0,
        )
    )
    return results


def _asks(asker: "Asker", form: str, *headers: str) -> Callable[[], object]:
    return lambda: asker.ask(form, *headers)


class Asker:
    """One connection to the server, and the processor time that its process has used."""

    def __init__(self, address: str, process: int) -> None:
        split = urlsplit(address)
        self._wire = socket.create_connection((split.hostname, split.port or 80))
        self._stat = Path(f"/proc/{process}/stat")

    def ask(self, form: str, *headers: str) -> bytes:
        """The head of the answer, whose body is read too."""
        api, end = ("" if form == "html" else "/api/v1"), (".csv" if form == "csv" else "")
        lines = [f"GET {api}/challenges/{SLUG}/leaderboards/{PHASE}{end} HTTP/1.1", "Host: bench", *headers]
        self._wire.sendall("\r\n".join([*lines, "", ""]).encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._wire.recv(1 << 20)
        head, body = got.split(b"\r\n\r\n", 1)
        length = re.search(rb"content-length: (\d+)", head)
        left = int(length.group(1)) - len(body) if length else 0
        while left > 0:
            left -= len(self._wire.recv(1 << 20))
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 304")):
            raise RuntimeError(head.decode())
        return head

    def tag(self, form: str) -> str:
        """The entity tag of a form as it is now."""
        tag = re.search(rb"etag: (\S+)", self.ask(form))
        if tag is None:
            raise RuntimeError("the board has no entity tag")
        return tag.group(1).decode()

    def seconds(self, form: str, *headers: str) -> float:
        """By the clock, from the request to the whole answer."""
        began = time.perf_counter()
        self.ask(form, *headers)
        return time.perf_counter() - began

    def processor(self, action: Callable[[], object], times: int) -> float:
        """Seconds of the server's processor for each of `times` repetitions."""
        before = self._used()
        for _ in range(times):
            action()
        return max(self._used() - before, 1 / os.sysconf("SC_CLK_TCK")) / times

    def _used(self) -> float:
        fields = self._stat.read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
