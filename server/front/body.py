"""Request bodies: read whole, within bytes and seconds, before anything else is spent; or streamed at a least rate."""

import asyncio
import re
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from contract.problems import ErrorCode
from server.errors import BadRequest, Problem, TooLarge

_LEAST_RATE = 128 * 2**10  # bytes a second that a whole body has to come with, after the first seconds
_FIRST_SECONDS = 15.0
_WINDOW = 60.0
_LEAST_IN_WINDOW = 2**20
DEEPEST = 50

_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.?+)*+(?:"|\Z)', re.DOTALL)
_OPEN_CLOSE = bytes.maketrans(b"{}", b"[]")
_OTHER = bytes(set(range(256)) - set(b"[]{}"))


class Slow(Problem):
    """The body came too slowly."""

    status, title = 408, "Request timeout"


def announced(scope: Scope) -> int | None:
    """The body's length, where the request says it."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


def too_large(most: int) -> TooLarge:
    """The refusal of a body that is larger than its route takes."""
    return TooLarge(
        ErrorCode.BODY_TOO_LARGE, f"The body of this request may have at most {most} bytes.", limit=most
    )


async def read(receive: Receive, most: int, hold: Callable[[int], None]) -> bytes:
    """The whole body. `hold` is told of every piece before it is kept, and may refuse it.

    Raises:
        TooLarge: it has more than `most` bytes.
        Slow: it did not come in time.
        ClientDisconnect: it broke off.
    """
    pieces, size = list[bytes](), 0
    seconds = _FIRST_SECONDS + most / _LEAST_RATE
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientDisconnect
                piece = message.get("body", b"")
                size += len(piece)
                if size > most:
                    raise too_large(most)
                if piece:
                    hold(len(piece))
                    pieces.append(piece)
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        detail = f"The body of this request did not come within {seconds:.0f} seconds. Send it again, faster."
        raise Slow(ErrorCode.BODY_TOO_SLOW, detail) from None


def require_shallow(body: bytes) -> None:
    """Refuses JSON that nests too deeply, before anything follows it down.

    Raises:
        BadRequest: lists and objects lie in each other more than `DEEPEST` deep.
    """
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return
    brackets = _STRINGS.sub(b"", body).translate(_OPEN_CLOSE, _OTHER)
    for _ in range(DEEPEST):
        closed = brackets.replace(b"[]", b"")
        if len(closed) == len(brackets):
            break
        brackets = closed
    else:
        if brackets:
            raise _too_deep()
    if b"[" * (DEEPEST + 1) in brackets:
        raise _too_deep()


def _too_deep() -> BadRequest:
    return BadRequest(
        ErrorCode.NESTED_TOO_DEEPLY,
        f"The body's lists and objects may lie at most {DEEPEST} deep in each other.",
    )


class Paced:
    """A streamed body whose sender has to keep up a least rate.

    Only the time that the server waits for the sender counts: a minute of it has to bring a mebibyte, or the end.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._waited, self._got, self._whole = 0.0, 0, False

    async def __call__(self) -> Message:
        """The next message; Slow where the sender does not keep up."""
        if self._whole:
            return await self._receive()
        clock = asyncio.get_running_loop()
        since = clock.time()
        try:
            async with asyncio.timeout(max(_WINDOW - self._waited, 0.001)):
                message = await self._receive()
        except TimeoutError:
            raise _too_slow() from None
        self._waited += clock.time() - since
        self._got += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._got >= _LEAST_IN_WINDOW:
            self._waited, self._got = 0.0, 0
        return message


def _too_slow() -> Slow:
    return Slow(
        ErrorCode.STREAM_TOO_SLOW,
        f"Less than {_LEAST_IN_WINDOW // 2**20} MiB came in {_WINDOW:.0f} seconds. "
        "Ask where it stands and go on there.",
    )
