"""The streams of one server process: who listens to what, and one reading of each submission for all of them.

What changes is heard from the database (`NOTIFY submissions`) or, where it changes by time alone, met by the clock: on
the grid of moments on which hidden phases show what happened, and every few seconds where cases are public. However
many streams there are, one thread with one connection reads, and it rests four times as long as it read.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from contract.ids import SubmissionId, UserId
from contract.problems import ErrorCode
from server.database import SessionFactory, unit_of_work
from server.errors import NotNow, busy
from server.evaluations.ticks import TICK_SECONDS
from server.hearing import Hearing, Subscriber
from server.live.reading import Reader, State, may_read, states

CHANNEL = "submissions"
MOST, MOST_EACH = 2_000, 20
"""Streams of a process, and of one person."""
BEAT_SECONDS = 15.0
"""After so long without an event a comment tells that the stream lives; who may read it is asked as often."""
LONGEST_SECONDS = 3_600
_PUBLIC_SECONDS, _LEAST_SECONDS, _RESTS = 5.0, 1.0, 4
_BATCH = 100  # submissions that are read in one unit of work
_AFTER_THE_TICK = 0.2
_RETRY = b"retry: 3000\n\n"
_BEAT = b": still here\n\n"

_log = structlog.get_logger()


@dataclass(eq=False)
class Stream:
    """One open stream: what its client has seen, and whether it is to end."""

    reader: Reader
    seen: str | None
    over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Ends it soon."""
        self.over = True
        self.changed.set()


@dataclass
class _Watched:
    """A submission that streams show: its latest state, and when it is looked at next, on the loop's clock."""

    state: State
    due: float
    streams: set[Stream] = field(default_factory=set)


class Hub:
    """For one event loop. Its task lives while streams do."""

    def __init__(self, sessions: SessionFactory, hearing: Hearing) -> None:
        self._sessions = sessions
        self._watched: dict[SubmissionId, _Watched] = {}
        self._of: Counter[UserId] = Counter()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "streams")
        self._ahead = 0.0  # of this process' clock: the database's
        hearing.subscribe(CHANNEL, Subscriber(self._hear, self._forget))

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._of.total()

    def require_room(self, user: UserId) -> None:
        """Refuses one more stream of this person where there are too many.

        Raises:
            NotNow, Busy: of theirs; of this process.
        """
        if self._of[user] >= MOST_EACH:
            raise NotNow(
                ErrorCode.TOO_MANY_STREAMS,
                f"You have {MOST_EACH} event streams open, and nobody has more at once. Close one, or ask with "
                "GET /submissions/{id} from time to time.",
                seconds=BEAT_SECONDS,
            )
        if self.streams >= MOST:
            raise busy("The server has as many event streams open as it takes.")

    async def events(
        self, reader: Reader, state: State, *, seen: str | None, seconds: float
    ) -> AsyncIterator[bytes]:
        """What goes over the wire: the state now unless its id is `seen`, each later one, and an end.

        A client that does not read holds up nothing but this: once it reads again it gets the newest state alone.
        """
        stream, until = Stream(reader, seen), time.monotonic() + seconds
        watched = self._join(stream, state)
        try:
            yield _RETRY
            while True:
                stream.changed.clear()
                state = watched.state
                if state.id != stream.seen:
                    stream.seen = state.id
                    yield b"id: %s\nevent: state\ndata: %s\n\n" % (state.id.encode(), state.content)
                if state.ended:
                    yield b"event: end\ndata: {}\n\n"
                left = until - time.monotonic()
                if state.ended or stream.over or left <= 0:
                    return
                try:
                    async with asyncio.timeout(min(BEAT_SECONDS, left)):
                        await stream.changed.wait()
                except TimeoutError:
                    yield _BEAT
        finally:
            self._leave(stream)

    def close(self) -> None:
        """Leaves no thread behind."""
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(wait=True)

    def _join(self, stream: Stream, state: State) -> _Watched:
        submission = stream.reader.submission
        loop = asyncio.get_running_loop()
        watched = self._watched.setdefault(submission, _Watched(state, 0.0))
        watched.streams.add(stream)
        self._of[stream.reader.user] += 1
        if watched.state.id != state.id:
            self._show(watched, state)
        watched.due = loop.time()  # what was told between the reading of `state` and now went unheard
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return watched

    def _leave(self, stream: Stream) -> None:
        watched = self._watched[stream.reader.submission]
        watched.streams.discard(stream)
        if not watched.streams:
            del self._watched[stream.reader.submission]
        self._of[stream.reader.user] -= 1
        self._of += Counter()  # without those that have none left
        self._wake.set()

    def _show(self, watched: _Watched, state: State) -> None:
        watched.state = state
        for stream in watched.streams:
            stream.changed.set()

    def _hear(self, told: str) -> None:
        with suppress(ValueError):
            self._look_at(SubmissionId(UUID(told)))

    def _forget(self) -> None:
        for submission in self._watched:
            self._look_at(submission)

    def _look_at(self, submission: SubmissionId) -> None:
        if (watched := self._watched.get(submission)) is not None:
            watched.due = 0.0
            self._wake.set()

    async def _run(self) -> None:
        try:
            await self._feed()
        finally:  # whoever is still there shall not wait for what does not come
            for watched in self._watched.values():
                for stream in watched.streams:
                    stream.end()

    async def _feed(self) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        while self._watched:
            self._wake.clear()
            began = loop.time()
            try:
                if began - asked >= BEAT_SECONDS:
                    asked = began
                    await self._ask_who_may()
                await self._look([found for found, watched in self._watched.items() if watched.due <= began])
            except (SQLAlchemyError, OSError) as error:
                _log.warning("streams_not_read", error=type(error).__name__)
            await asyncio.sleep(max(_LEAST_SECONDS, _RESTS * (loop.time() - began)))
            next_due = min((watched.due for watched in self._watched.values()), default=loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(next_due, asked + BEAT_SECONDS)):
                    await self._wake.wait()

    async def _look(self, due: Sequence[SubmissionId]) -> None:
        """Reads what is due; what cannot be read stays due."""
        loop = asyncio.get_running_loop()
        for first in range(0, len(due), _BATCH):
            some = due[first : first + _BATCH]
            told = {
                submission: self._watched[submission].due
                for submission in some
                if submission in self._watched
            }
            at, found = await loop.run_in_executor(self._thread, self._states, some)
            self._ahead = at.timestamp() - time.time()
            for submission, before in told.items():
                if (watched := self._watched.get(submission)) is None:
                    continue
                if watched.due == before:  # else something was told meanwhile
                    watched.due = loop.time() + self._pause(watched.state)
                if (state := found.get(submission)) is None:
                    for stream in watched.streams:
                        stream.end()
                elif state.id != watched.state.id:
                    self._show(watched, state)

    def _pause(self, state: State) -> float:
        """Seconds until the clock alone may change what is shown: hidden things move on whole ticks."""
        at = time.time() + self._ahead
        tick = math.floor(at / TICK_SECONDS + 1) * TICK_SECONDS - at + _AFTER_THE_TICK
        return tick if state.hidden else min(tick, _PUBLIC_SECONDS)

    async def _ask_who_may(self) -> None:
        streams = [stream for watched in self._watched.values() for stream in watched.streams]
        readers = {stream.reader for stream in streams}
        allowed = await asyncio.get_running_loop().run_in_executor(self._thread, self._allowed, readers)
        for stream in streams:
            if stream.reader not in allowed:
                stream.end()

    def _states(self, submissions: Collection[SubmissionId]) -> tuple[datetime, Mapping[SubmissionId, State]]:
        with unit_of_work(self._sessions) as session:
            return states(session, submissions)

    def _allowed(self, readers: Collection[Reader]) -> frozenset[Reader]:
        with unit_of_work(self._sessions) as session:
            return may_read(session, readers)
