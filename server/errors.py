"""Errors a user can see. Each carries its HTTP status, a stable code and a sentence for its reader.

    Problem
    ├── BadRequest (400)
    ├── Unauthorized (401)
    ├── Forbidden (403)
    ├── NotFound (404)
    ├── Conflict (409)
    ├── Gone (410)
    ├── TooLarge (413)
    ├── Unprocessable (422)
    ├── QuotaSpent (429)
    ├── NotNow (429)
    ├── DataMissing (500)
    ├── BadGateway (502)
    ├── Busy (503)
    └── StorageFull (507)

Services raise them; the handlers in `server.problems` turn them into application/problem+json (RFC 9457).
"""

import math
import secrets
from typing import Any

from contract.problems import ErrorCode


class Problem(Exception):
    """Something a user has to know: what was wrong, where, and what to do."""

    status = 500
    title = "Internal error"

    def __init__(self, code: ErrorCode, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.extra = extra
        self.headers: dict[str, str] = {}


class BadRequest(Problem):
    """The request cannot be understood."""

    status, title = 400, "Bad request"


class Unauthorized(Problem):
    """No valid token came with the request."""

    status, title = 401, "Not signed in"

    def __init__(self, code: ErrorCode, detail: str, **extra: Any) -> None:
        super().__init__(code, detail, **extra)
        self.headers["WWW-Authenticate"] = "Bearer"


class Forbidden(Problem):
    """The token is valid but does not allow this."""

    status, title = 403, "Not allowed"


class NotFound(Problem):
    """There is no such thing, or none that the asker may see."""

    status, title = 404, "Not found"


class Conflict(Problem):
    """The request does not fit the present state."""

    status, title = 409, "Conflict"


class Gone(Problem):
    """It was there once and has been removed or has run out."""

    status, title = 410, "Gone"


class TooLarge(Problem):
    """More bytes than allowed."""

    status, title = 413, "Too large"


class Unprocessable(Problem):
    """Understood, but what it asks for cannot be done."""

    status, title = 422, "Cannot be processed"


class QuotaSpent(Problem):
    """No attempt is left."""

    status, title = 429, "No attempts left"


class NotNow(Problem):
    """Too soon, or too much at once: the same request is welcome later."""

    status, title = 429, "Not now"

    def __init__(self, code: ErrorCode, detail: str, *, seconds: float) -> None:
        super().__init__(code, detail)
        self.headers["Retry-After"] = str(max(1, math.ceil(seconds)))


class DataMissing(Problem):
    """A file that the database names is not in its place: ours to mend."""

    status, title = 500, "Data missing"


class BadGateway(Problem):
    """Somebody else's server, which this takes, did not do its part."""

    status, title = 502, "Another server failed"


class Busy(Problem):
    """More than the server takes right now, or something that it needs does not answer: it is worth another try."""

    status, title = 503, "Busy"


_SOONEST, _SPREAD = 2, 6  # seconds: those who were refused together come back one after the other


def busy(what: str) -> Busy:
    """The refusal of a request that was not begun: `what` says why, and `Retry-After` when to come again."""
    seconds = _pause()
    return _again(Busy(ErrorCode.BUSY, f"{what} Nothing was done: try again in {seconds} seconds."), seconds)


def database_away() -> Busy:
    """The database does not answer; what was asked for may have been done, or not."""
    seconds = _pause()
    said = f"The server's database does not answer. Try again in {seconds} seconds."
    return _again(Busy(ErrorCode.DATABASE_AWAY, said), seconds)


def _pause() -> int:
    return _SOONEST + secrets.randbelow(_SPREAD)


def _again(problem: Busy, seconds: int) -> Busy:
    problem.headers["Retry-After"] = str(seconds)
    return problem


class StorageFull(Problem):
    """No room: on the disk, or within what a team may store."""

    status, title = 507, "Insufficient storage"
