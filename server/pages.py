"""How a page is made: templates, who looks at it, and the headers that let it load nothing from elsewhere."""

import gzip
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import StrictUndefined
from markupsafe import Markup, escape

from contract.leaderboard import BoardOut, Valued
from contract.texts import short_digests
from server import assets
from server.browser.cookies import browser_of
from server.words import moment

_templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What pages may load: nothing from elsewhere, and no script or style that stands in a page itself."""
WITH_DATA_IMAGES = POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""The policy of pages whose script draws pictures from what it has loaded."""
OF_SWAGGER = WITH_DATA_IMAGES
"""The policy of the API's documentation, whose script draws its icons itself."""

_LEAST_PACKED = 1_000  # bytes
_PACKED = 5  # of nine: one that is better takes longer than it saves


@dataclass(frozen=True)
class Looking:
    """Who looks at a page, as its head shows it; nobody in particular where `name` is None.

    organizes: the challenges that this person may see everything of, with whether they decide there. unread: notices.
    """

    name: str | None = None
    is_admin: bool = False
    organizes: Sequence[tuple[str, bool]] = ()
    unread: int = 0

    def observes(self, slug: str) -> bool:
        """Whether this person may see everything of a challenge."""
        return self.is_admin or any(name == slug for name, _ in self.organizes)

    def decides(self, slug: str) -> bool:
        """Whether this person decides in a challenge."""
        return self.is_admin or any(name == slug and decides for name, decides in self.organizes)


NOBODY = Looking()
_SOMEBODY = Looking(name="Account")
_KEY = "proctor.looking"


def note_looking(request: Request, looking: Looking) -> None:
    """Notes who looks at the page that answers this request, whatever becomes of it."""
    request.scope[_KEY] = looking


def looking_at(request: Request) -> Looking:
    """Who looks at this page, as noted; nobody in particular where nobody was."""
    found: Looking = request.scope.get(_KEY, NOBODY)
    return found


def day(at: datetime) -> str:
    """A date as pages write it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def machine_time(at: datetime) -> str:
    """A time for `datetime` attributes."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def lasting(seconds: float | timedelta | None) -> str:
    """A duration in the two largest units that tell it: 3 d 4 h, 5 min 2 s, 0.4 s."""
    if seconds is None:
        return "–"
    left = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if left < 10:
        return f"{left:.1f} s"
    parts: list[tuple[int, str]] = []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(round(left), size)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def size(count: float | None) -> str:
    """Bytes in the unit that tells them with three digits."""
    if count is None:
        return "–"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            digits = "d" if unit == "B" else ".0f" if abs(count) >= 1000 else ".3g"
            return f"{int(count) if unit == 'B' else count:{digits}} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"


_LINK = re.compile(
    r"\[([^\[\]\n]{1,200})\]\((https?://[^\s()<>\"']{1,500})\)|(https?://[^\s<>\"'()\[\]]{1,500}[^\s<>\"'()\[\].,;:!?*])"
)
_BOLD = re.compile(r"\*\*([^*\n]{1,500})\*\*|^#{1,6} +([^\n]{1,500})$", re.MULTILINE)


def prose(text: str) -> Markup:
    """What people wrote, with its links, **bold** words and # headings as such; all else stands as it was typed."""
    parts, at = [], 0
    for found in _LINK.finditer(text):
        address = found[2] or found[3]
        parts += [
            _bold(text[at : found.start()]),
            Markup('<a href="{}" rel="noreferrer nofollow">{}</a>').format(address, found[1] or address),
        ]
        at = found.end()
    return Markup("").join([*parts, _bold(text[at:])])


def _bold(text: str) -> Markup:
    parts, at = [], 0
    for found in _BOLD.finditer(text):
        strong = Markup("<strong>{}</strong>").format(found[1] or found[2])
        parts += [escape(text[at : found.start()]), strong]
        at = found.end()
    return Markup("").join([*parts, escape(text[at:])])


def short_id(id_: object) -> str:
    """The end of an id: of those made at one time, what tells them apart."""
    return str(id_)[-12:]


def footnotes(board: BoardOut) -> list[str]:
    """What is said of a board's values, each once, in the order in which it is met."""
    listed: list[Valued] = [*board.entries, *board.otherwise]
    values = (metric for entry in listed for metric in entry.metrics.values())
    said = (metric.note or metric.reason for metric in values)
    return list(dict.fromkeys(note for note in said if note))


def noun(count: int, one: str, many: str | None = None) -> str:
    """What a count is of, without the count."""
    return one if count == 1 else many or f"{one}s"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{count:,} {noun(count, one, many)}"


_templates.env.filters |= {
    "day": day,
    "lasting": lasting,
    "machine_time": machine_time,
    "moment": moment,
    "noun": noun,
    "plural": plural,
    "prose": prose,
    "short_digests": short_digests,
    "short_id": short_id,
    "size": size,
}
_templates.env.globals |= {"asset": assets.address}
_templates.env.undefined = (
    StrictUndefined  # a name that a template has wrong is an error, and no gap in a page
)
_templates.env.trim_blocks = _templates.env.lstrip_blocks = True


def page(
    request: Request,
    name: str,
    *,
    status: int = 200,
    policy: str = POLICY,
    looking: Looking | None = None,
    **content: Any,
) -> HTMLResponse:
    """The template `name` filled with `content`, for who is looking, as noted, or for `looking`.

    With `NOBODY` for `looking` it has nothing of who asks, whoever that is, and may be kept for all.
    A page for somebody is not kept anywhere. One for nobody in particular is the same for everybody, unless its
    template asks for `csrf`: then its reader gets a visit, by which its forms are known.
    """
    browser = None if looking is NOBODY else browser_of(request.scope)
    if looking is None:
        known = browser is not None and browser.token is not None
        looking = request.scope.get(_KEY) or (_SOMEBODY if known else NOBODY)
    visit: list[str] = []
    forms = False

    def csrf() -> str:
        nonlocal forms
        if browser is None:
            return ""
        forms = True
        if browser.form_token is not None:
            return browser.form_token
        if not visit:
            visit.append(secrets.token_urlsafe(18))
        return browser.keys.form_token(visit[0])

    said = None if browser is None else browser.said
    own = {"looking": looking, "csrf": csrf, "said": said, "path": request.url.path}
    response = _templates.TemplateResponse(request, name, {**own, **content}, status_code=status)
    response.headers["Content-Security-Policy"] = policy
    if browser is not None and visit:
        browser.begin_visit(response, visit[0])
    if browser is not None and said is not None:
        browser.said_it(response)
    if browser is not None and (forms or said or looking is not NOBODY):
        response.headers["Cache-Control"] = "no-store"
    return response if looking is NOBODY else _packed(request, response)


def _packed(request: Request, response: HTMLResponse) -> HTMLResponse:
    """The page compressed, for a browser that takes it so."""
    if len(response.body) < _LEAST_PACKED or "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    response.body = gzip.compress(bytes(response.body), compresslevel=_PACKED, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.body))
    response.headers.add_vary_header("Accept-Encoding")
    return response


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, and not for the API: an answer for people is a page then."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def error_page(
    request: Request, status: int, title: str, detail: str, *, again: bool = False
) -> HTMLResponse:
    """What went wrong, as a page; what is closed to its reader leads back to the challenge that it is of.

    again: a link to the same page is all that it takes.
    """
    slug = request.path_params.get("slug") if status == HTTPStatus.FORBIDDEN else None
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    opens = address if again else None
    return page(
        request, "error.html", status=status, code=status, title=title, detail=detail, slug=slug, opens=opens
    )
