"""How a page is made: templates, and the headers that let it load nothing from elsewhere and run no script."""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from contract.leaderboard import BoardOut, Valued

_templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
WITH_SCRIPT = f"{_POLICY}; script-src 'self'; connect-src 'self'"
"""The policy of the one page that needs a script, which asks this server for the API's description."""


def moment(at: datetime) -> str:
    """A time as pages write it: to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def short_digests(text: str) -> str:
    """A sentence with the beginnings of its digests, which are wider than a telephone."""
    return re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}", r"\1…", text)


def footnotes(board: BoardOut) -> list[str]:
    """What is said of a board's values, each once, in the order in which it is met."""
    listed: list[Valued] = [*board.entries, *board.otherwise]
    values = (metric for entry in listed for metric in entry.metrics.values())
    said = (metric.note or metric.reason for metric in values)
    return list(dict.fromkeys(note for note in said if note))


_templates.env.filters |= {"moment": moment, "footnotes": footnotes, "short_digests": short_digests}


def page(
    request: Request, name: str, *, status: int = 200, policy: str = _POLICY, **content: object
) -> HTMLResponse:
    """The template `name` filled with `content`."""
    response = _templates.TemplateResponse(request, name, content, status_code=status)
    response.headers["Content-Security-Policy"] = policy
    return response


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, and not for the API: an answer for people is a page then."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, status: int, title: str, detail: str) -> HTMLResponse:
    """What went wrong, as a page; what is closed to its reader leads back to the challenge that it is of."""
    slug = request.path_params.get("slug") if status == HTTPStatus.FORBIDDEN else None
    return page(request, "error.html", status=status, code=status, title=title, detail=detail, slug=slug)
