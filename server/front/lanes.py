"""Lanes: how many requests of a kind run at once, and who waits for how long when more come.

Waiting is fair between sources (a person, a run worker, an address): each has its turn, however many requests it has
sent, and where the queue is full it is the source with the most that loses its newest one.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from server.errors import Busy, busy


@dataclass(frozen=True)
class Terms:
    """What a lane allows.

    `permits` requests run at once, of one source at most `each`; `waiting` more wait up to `patience` seconds. Bodies
    of all of its requests together take up to `room` bytes, those of one source a quarter of it.
    """

    name: str
    permits: int
    waiting: int
    patience: float
    each: int | None = None
    room: int = 32 * 2**20


class Lane:
    """One lane of a running server; for its event loop alone."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.admitted = 0  # since the start: what was let in, and so has run
        self._running: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._waiting = 0
        self._held: Counter[str] = Counter()
        self._bytes = 0

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._waiting

    @property
    def running(self) -> int:
        """How many run now."""
        return self._running.total()

    def ask(self, source: str) -> asyncio.Future[None]:
        """A turn: done once the permit is there. Whoever has it calls `release`; who stops waiting, `give_up`.

        Raises:
            Busy: the queue is full, and this source has the most in it. A turn may end so later, too.
        """
        turn = asyncio.get_running_loop().create_future()
        if self._may_run(source) and source not in self._queues:
            self._admit(source, turn)
            return turn
        if self._waiting >= self.terms.waiting:
            self._drop_for(source)
        self._queues.setdefault(source, deque()).append(turn)
        self._waiting += 1
        return turn

    def release(self, source: str) -> None:
        """Gives a permit back; the next source's oldest request gets it."""
        self._running[source] -= 1
        if not self._running[source]:
            del self._running[source]
        self._grant()

    def give_up(self, source: str, turn: asyncio.Future[None]) -> None:
        """Waits no longer; a permit that came at the same moment goes on to the next."""
        if not turn.done():
            queue = self._queues[source]
            queue.remove(turn)
            self._left(source, queue)
            turn.cancel()
        elif not turn.cancelled() and turn.exception() is None:
            self.release(source)

    def hold(self, source: str, size: int) -> None:
        """Counts `size` bytes of a body that is in memory; `drop` ends it.

        Raises:
            Busy: bodies take too much memory already, all together or this source's.
        """
        if self._bytes + size > self.terms.room or self._held[source] + size > self.terms.room // 4:
            raise busy("The server holds too many unfinished requests like this one.")
        self._bytes += size
        self._held[source] += size

    def drop(self, source: str, size: int) -> None:
        """The bytes are not held any more."""
        self._bytes -= size
        self._held[source] -= size
        if not self._held[source]:
            del self._held[source]

    def full(self) -> Busy:
        """The refusal of a request that waited in vain."""
        return busy("The server has more requests of this kind than it can answer right now.")

    def _may_run(self, source: str) -> bool:
        each = self.terms.each
        return self.running < self.terms.permits and (each is None or self._running[source] < each)

    def _admit(self, source: str, turn: asyncio.Future[None]) -> None:
        self._running[source] += 1
        self.admitted += 1
        turn.set_result(None)

    def _grant(self) -> None:
        while (source := next(filter(self._may_run, self._queues), None)) is not None:
            queue = self._queues[source]
            turn = queue.popleft()
            self._queues.move_to_end(source)
            self._left(source, queue)
            self._admit(source, turn)

    def _drop_for(self, source: str) -> None:
        longest = max(self._queues, key=lambda source: len(self._queues[source]))
        if len(self._queues[longest]) <= len(self._queues.get(source, ())) + 1:
            raise self.full()
        queue = self._queues[longest]
        queue.pop().set_exception(self.full())
        self._left(longest, queue)

    def _left(self, source: str, queue: deque[asyncio.Future[None]]) -> None:
        self._waiting -= 1
        if not queue:
            del self._queues[source]
