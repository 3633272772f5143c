"""What a request passes, in this order: its route's rule, a budget, its body, a turn in a lane; then its endpoint."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contract.accounts import ENDS_SOON, TOKEN_ENDS
from server.accounts.known import People
from server.accounts.uses import Uses
from server.errors import Problem
from server.front import body, callers
from server.front.budgets import Budget, Standing
from server.front.lanes import Lane
from server.front.metering import ROUTE
from server.front.probe import Probe
from server.front.table import LANES, Rule, Table
from server.front.threads import in_stream_thread, size_endpoint_threads
from server.problems import answer_to

_LINGER = (
    2.0  # seconds in which the rest of a refused body is read, so that its sender gets to see the answer
)
LINGER_BYTES = 16 * 2**20
_SMALL = 64 * 2**10  # bytes that are looked through at once; more would hold up the others


@dataclass
class State:
    """What the front knows while a server runs."""

    table: Table
    probe: Probe
    per_token: Budget
    per_address: Budget
    uses: Uses
    people: People = field(default_factory=People)
    lanes: dict[str, Lane] = field(default_factory=lambda: {bounds.name: Lane(bounds) for bounds in LANES})


@dataclass
class _Caller:
    """The lane that a request belongs to, whom it is counted for, and how large its body may be.

    `standing`: what is left of the budget that it spends from, if it spends from one.
    """

    lane: Lane | None
    source: str
    most: int | None
    standing: Standing | None = None


class Front:
    """Lets requests in one by one. It stands before the application, and answers what it refuses itself."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app, self._state = app, state
        self._sized = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._sized:
            size_endpoint_threads()
            self._sized = True
        scope[ROUTE], rule = self._state.table.route(scope["method"], scope["path"])
        caller = await self._caller(rule, scope)
        visit = _Visit(self._app, rule, caller, self._state.people, scope, receive, send)
        try:
            if caller.standing is not None:
                caller.standing.require()
            await visit.go()
        except ClientDisconnect:
            return  # nobody reads an answer
        except Problem as problem:
            await visit.refuse(problem)
        if self._state.uses.due:
            await in_stream_thread(self._state.uses.write)

    async def _caller(self, rule: Rule, scope: Scope) -> _Caller:
        lanes, source = self._state.lanes, callers.address(scope)
        if rule.lane is None:
            return _Caller(None, source, rule.most)
        hashed = callers.bearer(scope)
        if rule.lane in _OF_WORKERS:
            if hashed is not None and await self._state.probe.is_worker(hashed):
                return _Caller(lanes[rule.lane], hashed, rule.most)
        else:
            person = self._state.people.whose(hashed) if hashed else None
            if person is not None and hashed is not None:
                fits = rule.lane != "admins" or person.is_admin
                lane = lanes[rule.lane if fits else "participants"]
                return _Caller(lane, person.source, rule.most, _spent(self._state.per_token, hashed, rule))
            if rule.anybody:
                standing = _spent(self._state.per_address, source, rule)
                return _Caller(lanes[rule.lane], source, rule.most, standing)
        most = None if rule.most is None else min(rule.most, rule.unknown)
        return _Caller(lanes["strangers"], source, most, _spent(self._state.per_address, source, rule))


def _spent(budget: Budget, source: str, rule: Rule) -> Standing | None:
    """What is left after one more request; a stream is bounded by how many there are, and spends nothing."""
    return None if rule.most is None else budget.spend(source)


_OF_WORKERS = frozenset({"workers", "wake-ups", "outputs", "downloads"})


class _Visit:
    """The way of one request."""

    def __init__(
        self,
        app: ASGIApp,
        rule: Rule,
        caller: _Caller,
        people: People,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._app, self._rule, self._caller, self._people = app, rule, caller, people
        self._scope, self._receive, self._send = scope, receive, send
        self._whole = False
        self._held = 0
        self._inside = False

    async def go(self) -> None:
        """Reads the body, waits for a turn, and runs the endpoint.

        Raises:
            Problem: it is refused; its endpoint has not run.
            ClientDisconnect: the client has left, and its endpoint has not run.
        """
        try:
            receive = await self._body()
            await self._enter()
            await self._app(self._scope, receive, self._answered)
        finally:
            self._leave()
            if self._held and self._caller.lane is not None:
                self._caller.lane.drop(self._caller.source, self._held)

    async def refuse(self, problem: Problem) -> None:
        """Answers with the problem. What is left of the body is read for a moment, then the connection is closed."""
        response = answer_to(Request(self._scope), problem)
        response.raw_headers.extend(self._headers())
        if self._whole:
            await response(self._scope, self._receive, self._send)
            return
        response.headers["Connection"] = "close"
        await response(self._scope, self._receive, _open_ended(self._send))
        await self._linger()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self) -> Receive:
        most = self._caller.most
        if most is None:
            return body.Paced(self._receive)
        length = body.announced(self._scope)
        if length is not None and length > most:
            raise body.too_large(most)
        whole = await body.read(self._receive, most, self._hold)
        self._whole = True
        if len(whole) <= _SMALL:
            body.require_shallow(whole)
        else:
            await in_stream_thread(body.require_shallow, whole)
        return _again(whole, self._receive)

    def _hold(self, size: int) -> None:
        if self._caller.lane is not None:
            self._caller.lane.hold(self._caller.source, size)
            self._held += size

    async def _enter(self) -> None:
        lane, source = self._caller.lane, self._caller.source
        if lane is None:
            return
        turn = lane.ask(source)
        try:
            if not turn.done():
                await self._wait(turn, lane.terms.patience)
            if not turn.done():
                raise lane.full()
            turn.result()
        except BaseException:
            lane.give_up(source, turn)
            raise
        self._inside = True

    async def _wait(self, turn: "asyncio.Future[None]", patience: float) -> None:
        if not self._whole:  # a stream's next message would be its first bytes
            await asyncio.wait({turn}, timeout=patience)
            return
        leaving = asyncio.ensure_future(self._receive())
        try:
            either: set[asyncio.Future[Any]] = {turn, leaving}
            await asyncio.wait(either, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                raise ClientDisconnect
        finally:
            leaving.cancel()

    async def _answered(self, message: Message) -> None:
        if not self._rule.to_the_end:
            self._leave()  # the endpoint is done and its transaction closed; a slow reader holds no permit
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *self._headers()]}
        await self._send(message)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        standing = [] if self._caller.standing is None else self._caller.standing.headers
        hashed = callers.bearer(self._scope)
        person = self._people.whose(hashed) if hashed else None
        ends = None if person is None else person.token_ends
        if ends is None or ends - datetime.now(UTC) > ENDS_SOON:
            return standing
        return [*standing, (TOKEN_ENDS.lower().encode(), ends.isoformat().encode())]

    def _leave(self) -> None:
        if self._inside and self._caller.lane is not None:
            self._inside = False
            self._caller.lane.release(self._caller.source)

    async def _linger(self) -> None:
        read = 0
        try:
            async with asyncio.timeout(_LINGER):
                while read < LINGER_BYTES:
                    message = await self._receive()
                    read += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return


def _open_ended(send: Send) -> Send:
    async def sending(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    return sending


def _again(whole: bytes, receive: Receive) -> Receive:
    """What an application receives whose body has been read: the body, then what comes after it."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": whole, "more_body": False}

    return receiving
