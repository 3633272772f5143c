"""What the database tells of changes, to one connection of a process that listens for all who want to know."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import structlog
from sqlalchemy import Engine, event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from server.database import SessionFactory

_LISTENING = "SELECT array(SELECT pg_listening_channels())"
TRUSTED_SECONDS = 10.0
"""What is heard is believed for so long after the database last answered on the connection that listens."""
_BEAT_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
_SETTLE_SECONDS = 0.25

_log = structlog.get_logger()


@dataclass(frozen=True)
class Subscriber:
    """Who wants to know: `hear` gets what is told; `forget` is called where something may have been missed.

    Both are called in the event loop of `listen`.
    """

    hear: Callable[[str], None]
    forget: Callable[[], None]


class Hearing:
    """Hears NOTIFY. `fresh`: nothing is unknown that was committed before the database was last asked.

    It is asked every few seconds, and after each commit of this process that wrote something, so that whoever is told
    of a change sees it from then on. Of other processes' commits it tells by itself, milliseconds after them. While
    `listen` does not run, or the connection is lost, nothing is fresh.
    """

    def __init__(self, sessions: SessionFactory) -> None:
        self._engine: Engine = sessions.kw["bind"]
        self._subscribers: dict[str, Subscriber] = {}
        self._guard = threading.Lock()
        self._asked = self._answered = 0
        self._confirmed = float("-inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake, self._told = asyncio.Event(), asyncio.Event()
        event.listen(sessions, "after_flush", _note_flush)
        event.listen(sessions, "do_orm_execute", _note_statement)
        event.listen(sessions, "after_commit", self._after_commit)

    def subscribe(self, channel: str, subscriber: Subscriber) -> None:
        """Has `subscriber` told what comes on `channel`, a name of lower case letters; before `listen` runs."""
        self._subscribers[channel] = subscriber

    @property
    def fresh(self) -> bool:
        """Whether every change is known that this process has committed, and others' but for what is on its way."""
        return self._heard and self._asked == self._answered

    @property
    def _heard(self) -> bool:
        return time.monotonic() - self._confirmed < TRUSTED_SECONDS

    async def settled(self) -> bool:
        """Whether all is known, or is within a moment."""
        if self._heard and not self.fresh:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SETTLE_SECONDS):
                    while not self.fresh:
                        await self._told.wait()
        return self.fresh

    async def listen(self) -> None:
        """Hears what changes until it is cancelled; a connection that is lost is made anew."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    await self._connected()
                except (psycopg.Error, OSError, TimeoutError) as error:
                    # Until it is there again boards are made for each request, and streams look by the clock.
                    _log.warning("changes_not_heard", error=type(error).__name__)
                self._confirmed = float("-inf")
                await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            self._loop, self._confirmed = None, float("-inf")

    async def _connected(self) -> None:
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await psycopg.AsyncConnection.connect(
            url, autocommit=True, connect_timeout=int(_ANSWER_SECONDS), application_name="proctor changes"
        )
        async with connection:
            connection.add_notify_handler(self._hear)
            for channel in self._subscribers:
                await connection.execute(f"LISTEN {channel}")
            for subscriber in self._subscribers.values():
                subscriber.forget()  # what changed while nobody listened is not known: anything may have
            while True:
                await self._ask(connection)
                await self._something(connection)

    async def _ask(self, connection: psycopg.AsyncConnection) -> None:
        """A question and its answer, before which the database sends all it has to tell."""
        self._wake.clear()
        asked, began = self._asked, time.monotonic()
        async with asyncio.timeout(_ANSWER_SECONDS):
            answer = await connection.execute(_LISTENING)
            if set((await answer.fetchone() or [()])[0]) != self._subscribers.keys():
                raise psycopg.OperationalError("a pooler gave the connection to another session")
        while (left := connection.pgconn.notifies()) is not None:
            self._hear(psycopg.Notify(left.relname.decode(), left.extra.decode(), left.be_pid))
        self._answered, self._confirmed = asked, began
        self._told.set()
        self._told = asyncio.Event()

    async def _something(self, connection: psycopg.AsyncConnection) -> None:
        """Until the database says something, somebody asks, or a beat has passed."""
        loop, wire = asyncio.get_running_loop(), connection.fileno()
        loop.add_reader(wire, self._wake.set)
        try:
            async with asyncio.timeout(_BEAT_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(wire)

    def _hear(self, told: psycopg.Notify) -> None:
        self._subscribers[told.channel].hear(told.payload)

    def _after_commit(self, session: Session) -> None:
        if not session.info.pop("wrote", False):
            return
        with self._guard:
            self._asked += 1
        if (loop := self._loop) is not None:
            with suppress(RuntimeError):  # it has closed meanwhile
                loop.call_soon_threadsafe(self._wake.set)


def _note_flush(session: Session, _: UOWTransaction) -> None:
    session.info["wrote"] = True


def _note_statement(state: ORMExecuteState) -> None:
    if not state.is_select:
        state.session.info["wrote"] = True
