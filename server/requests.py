"""The id of a request: its sender's or a new one, in the answer, in every line of the log, and in problem documents."""

import re
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

HEADER = "X-Request-ID"
_KEY, _IN_LOGS = "proctor.request", "request"
_SANE = re.compile("[A-Za-z0-9._-]{8,64}")


def begin(scope: Scope) -> None:
    """Gives a request its id; whatever is logged from here on in its task, and in threads it uses, names it."""
    given = Headers(scope=scope).get(HEADER, "")
    scope[_KEY] = given if _SANE.fullmatch(given) else uuid4().hex
    clear_contextvars()
    bind_contextvars(**{_IN_LOGS: scope[_KEY]})


def id_of(scope: Scope) -> str | None:
    """The id of the request with this scope; None before it has one."""
    found: str | None = scope.get(_KEY)
    return found


def current() -> str | None:
    """The id of the request that is being answered; None where it is none, as in a command."""
    found: str | None = get_contextvars().get(_IN_LOGS)
    return found
