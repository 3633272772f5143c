"""What holds of a request from its first line on: its id, and whether another site had a browser send it.

The id is its sender's or a new one. It stands in the answer, in every line of the log, and in problem documents.
"""

import re
from contextvars import ContextVar
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

HEADER = "X-Request-ID"
_KEY, _IN_LOGS = "proctor.request", "request"
_SANE = re.compile("[A-Za-z0-9._-]{8,64}")
_SITE = "Sec-Fetch-Site"
_FROM_HERE = frozenset(
    {"same-origin", "none"}
)  # a page of this server; the person: an address typed, a bookmark
_elsewhere: ContextVar[bool] = ContextVar("elsewhere", default=False)


def begin(scope: Scope) -> None:
    """Gives a request its id; whatever is logged from here on in its task, and in threads it uses, names it."""
    headers = Headers(scope=scope)
    given = headers.get(HEADER, "")
    scope[_KEY] = given if _SANE.fullmatch(given) else uuid4().hex
    clear_contextvars()
    bind_contextvars(**{_IN_LOGS: scope[_KEY]})
    _elsewhere.set(headers.get(_SITE, "none") not in _FROM_HERE)


def id_of(scope: Scope) -> str | None:
    """The id of the request with this scope; None before it has one."""
    found: str | None = scope.get(_KEY)
    return found


def current() -> str | None:
    """The id of the request that is being answered; None where it is none, as in a command."""
    found: str | None = get_contextvars().get(_IN_LOGS)
    return found


def is_from_elsewhere() -> bool:
    """Whether a browser says that a page of another site led to the request that is being answered.

    Programs and old browsers say nothing, nor does any browser to a server without TLS: of them it is false.
    """
    return _elsewhere.get()
