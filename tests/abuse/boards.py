"""A server that lives as it does in use, and hears what the database tells of boards."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import uvicorn
from sqlalchemy import Engine, event, text

from server.app import create_app
from server.database import SessionFactory
from server.settings import Settings


@dataclass
class Statements:
    """What an engine was asked while it was watched."""

    said: list[str] = field(default_factory=list)

    def about(self, words: str) -> int:
        return sum(words in one for one in self.said)


@contextmanager
def watched(sessions: SessionFactory) -> Iterator[Statements]:
    engine: Engine = sessions.kw["bind"]
    found = Statements()

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.said.append(" ".join(statement.split()))

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


@dataclass(frozen=True)
class Site:
    """A running application, its sessions and its address."""

    address: str
    sessions: SessionFactory
    heard: Any
    http: httpx.Client

    def url(self, slug: str, form: str = "json", phase: str = "validation") -> str:
        """Where a board is, in one form."""
        api = "" if form == "html" else "/api/v1"
        return f"{self.address}{api}/challenges/{slug}/leaderboards/{phase}{'.csv' if form == 'csv' else ''}"

    def all_at_once(self, url: str, count: int) -> list[httpx.Response]:
        async def every() -> list[httpx.Response]:
            limits = httpx.Limits(max_connections=count)
            async with httpx.AsyncClient(limits=limits, timeout=60, verify=False) as http:  # noqa: S501 - plain HTTP
                return await asyncio.gather(*(http.get(url) for _ in range(count)))

        return asyncio.run(every())

    def catch_up(self) -> None:
        """Until it has heard all that was committed before."""
        last = uuid4().hex
        with self.sessions() as session:
            session.execute(text("SELECT pg_notify('boards', :last)"), {"last": last})
            session.commit()
        deadline = time.monotonic() + 20
        while last not in self.heard._last:
            assert time.monotonic() < deadline, "the database is not heard"
            time.sleep(0.01)

    def settle(self) -> None:
        """Until it hears the database."""
        deadline = time.monotonic() + 20
        while not self.heard.hearing.fresh:
            assert time.monotonic() < deadline, "the database is not heard"
            time.sleep(0.01)


@contextmanager
def living(settings: Settings, *, hears: bool = True) -> Iterator[Site]:
    """An application of its own; one that does not hear the database has no life beside its requests."""
    app = create_app(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_level="warning", ws="none", lifespan="on" if hears else "off", timeout_keep_alive=75
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    sessions: SessionFactory = app.state.sessions
    http = httpx.Client(timeout=60)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    site = Site(address, sessions, app.state.boards.changes, http)
    try:
        if hears:
            site.settle()
        yield site
    finally:
        http.close()
        server.should_exit = True
        thread.join()
        sessions.kw["bind"].dispose()
