"""Wake-ups for run workers without a broker: a request that is held until cases come to wait.

Nothing is leased in such a request. It only says "look at the queue", as a message of the broker does, so one whose
connection is cut loses nothing. What was heard before it came is known by a mark that the worker brings along.
"""

import asyncio
from uuid import uuid4

from starlette.requests import Request

from server.hearing import Hearing, Subscriber

CHANNEL = "cases"
LONGEST_SECONDS = 60.0
"""How long a request may be held."""


class Bell:
    """Rings when the database says that cases wait; for one event loop."""

    def __init__(self, hearing: Hearing) -> None:
        # Of this process and this start: a mark of another one says nothing of what rang here meanwhile.
        self._series, self._count = uuid4().hex[:12], 0
        self._rung = asyncio.Event()
        hearing.subscribe(CHANNEL, Subscriber(lambda _: self._ring(), self._ring))

    @property
    def mark(self) -> str:
        """Another one each time that cases came to wait, or may have."""
        return f"{self._series}-{self._count}"

    def _ring(self) -> None:
        self._count += 1
        self._rung.set()
        self._rung = asyncio.Event()

    async def hold(self, request: Request, mark: str | None, seconds: float) -> str:
        """The present mark: at once where it is not `mark`, else when it changes, or after so many seconds.

        Returns as well when the client has left, so that its place is another's.
        """
        if mark != self.mark or seconds <= 0:
            return self.mark
        rung, left = asyncio.ensure_future(self._rung.wait()), asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait({rung, left}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()
            left.cancel()
        return self.mark


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
