"""Waiting for a server that is busy, as at a deadline, or has heard too much of us: it says when to come again."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from contract.problems import ErrorCode

Waiting = Callable[[float], None]

_LONGEST = 30.0  # seconds that one pause takes, whatever the server asks for
_ALTOGETHER = 120.0
_LATER: dict[int, ErrorCode] = {
    httpx.codes.SERVICE_UNAVAILABLE: ErrorCode.BUSY,
    httpx.codes.TOO_MANY_REQUESTS: ErrorCode.TOO_MANY_REQUESTS,
}
"""Statuses after which one may ask again, with the code that says that nothing was begun."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def wait_quietly(seconds: float) -> None:
    """Nobody is told."""


class PatientClient(httpx.Client):
    """An HTTP client that asks a busy server again, after Retry-After, for up to two minutes; then the answer stands.

    Only what the server did not begin is asked again: the codes of such answers say so, and reading changes nothing.
    `waiting` is told of each pause, in seconds.
    """

    def __init__(self, *, waiting: Waiting = wait_quietly, **options: Any) -> None:
        super().__init__(**options)
        self._waiting = waiting

    def send_once(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The answer to the request, also where it says that the server is busy."""
        return super().send(request, **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The answer to the request."""
        left = _ALTOGETHER
        while True:
            response = super().send(request, **options)
            seconds = _pause(response)
            if seconds is None or seconds > left or not isinstance(request.stream, httpx.ByteStream):
                return response
            response.close()
            left -= seconds
            self._waiting(seconds)
            time.sleep(seconds)


def _pause(response: httpx.Response) -> float | None:
    """How long to wait before asking again; None where that makes no sense."""
    after = response.headers.get("Retry-After", "")
    if response.status_code not in _LATER or not (after.isascii() and after.isdigit()):
        return None
    code = f'"code":"{_LATER[response.status_code]}"'.encode()
    reads = response.status_code == httpx.codes.SERVICE_UNAVAILABLE and response.request.method in _SAFE
    again = reads or code in response.read().replace(b" ", b"")
    return min(float(after), _LONGEST) if again else None
