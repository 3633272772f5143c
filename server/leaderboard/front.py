"""Public boards straight from memory, before anything else of the application is asked."""

import asyncio
import re
import time
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.leaderboard.memory import Memory
from server.leaderboard.negotiation import Rendered, asked_for

_BOARD = re.compile(r"/api/v1/challenges/([^/]+)/leaderboards/([^/]+?)(\.csv)?")
_PAGE = re.compile(r"/challenges/([^/]+)/leaderboards/([^/]+?)(?:/boards/([^/]+))?")
_TRACK = re.compile(rb"(?:track=([A-Za-z0-9_-]{1,60}))?")

_MADE = (200, 304)
_FLIGHTS = 3
"""One that began before the request came, one that began after it, and one that a phase's end outran."""
_PATIENCE = 2.0
"""Seconds for which a board of somebody else's request is waited for: they may have to wait for a turn themselves."""
_BODY = (b"content-length", b"transfer-encoding")

Key = tuple[str, str, str]
"""A challenge's name, a phase and a form: json, csv or a page's, see `page_form`."""


def page_form(board: str | None, query: bytes) -> str | None:
    """The form in which a page is kept: all boards or one, of a track or the first; None for every other query."""
    found = _TRACK.fullmatch(query)
    if found is None:
        return None
    return f"html {board or ''} {(found[1] or b'').decode()}"


class BoardsFirst:
    """Answers GET and HEAD of boards by whoever sends no token, from memory where it is there.

    Of many who ask for a board that is not there one goes on to the application, and the others wait for what it
    makes, but never for long: how fast that one gets on is not theirs to bear. While the application lives it hears
    what changes; without its lifespan nothing is taken from memory.
    """

    def __init__(self, app: ASGIApp, memory: Memory) -> None:
        self._app, self._memory = app, memory
        self._flights: dict[Key, asyncio.Future[bool]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        key, asked = _key(scope), time.monotonic()
        if key is None:
            await self._app(scope, receive, send)
            return
        await self._memory.changes.hearing.settled()
        for _ in range(_FLIGHTS):
            if (found := self._memory.find(*key, asked=asked)) is not None:
                await _send(found, scope, send)
                return
            if (flight := self._flights.get(key)) is None:
                await self._first(key, scope, receive, send)
                return
            done, _ = await asyncio.wait({flight}, timeout=_PATIENCE)
            if not done or not flight.result():
                break
        await self._app(scope, receive, send)

    async def _first(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """Has the application answer; the flight ends once it begins to, however slowly its client takes it."""
        flight: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._flights[key] = flight

        def over(*, made: bool) -> None:
            if not flight.done():
                del self._flights[key]
                flight.set_result(made)

        async def watched(message: Message) -> None:
            over(made=message.get("status") in _MADE)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            over(made=False)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        listening: asyncio.Task[None] | None = None

        async def started(message: Message) -> None:
            nonlocal listening
            if message["type"] == "lifespan.startup.complete":
                listening = asyncio.create_task(self._memory.changes.hearing.listen())
            await send(message)

        try:
            await self._app(scope, receive, started)
        finally:
            if listening is not None:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening


def _key(scope: Scope) -> Key | None:
    """Which board a request is for that anybody could have sent; None for every other request.

    Nor for one with a body, which has to come first, and as slowly as its sender likes.
    """
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return None
    path = scope["path"]
    found = (_BOARD if path.startswith("/api/") else _PAGE).fullmatch(path)
    if found is None or any(name == b"authorization" or name in _BODY for name, _ in scope["headers"]):
        return None
    if found.re is _PAGE:
        slug, phase, board = found.groups()
        form = page_form(board, scope.get("query_string", b""))
        return None if form is None or phase.endswith(".csv") else (slug, phase, form)
    slug, phase, csv = found.groups()
    return slug, phase, "json" if csv is None else "csv"


async def _send(found: Rendered, scope: Scope, send: Send) -> None:
    accepts, known = asked_for(scope["headers"])
    answer = found.answer(accepts, known)
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})
