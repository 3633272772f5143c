"""Log-ins through a provider that a browser begins itself: there is nothing to type, for it is the one that comes back.

The browser keeps the log-in's secret in a signed cookie. Who comes back with it is
signed in; whoever nobody knows here names themselves first; and whoever is signed in has the identity linked.
"""

import base64
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from contract.texts import Line
from server.accounts import sources
from server.accounts.api import SourceDep
from server.accounts.deps import TokenDep, get_asker
from server.accounts.log_ins import SESSION_LASTS, Opened
from server.accounts.principals import User
from server.accounts.tokens import token_hash
from server.browser.cookies import Browser, own_browser
from server.database import SessionFactory
from server.deps import SessionsDep, SettingsDep
from server.errors import Forbidden
from server.forms.form import is_local
from server.front.threads import in_stream_thread
from server.pages import page
from server.settings import Settings
from server.sign_in import service
from server.sign_in.api import PartiesDep
from server.sign_in.leaving import COOKIE, leave_for, party_of, unit
from server.sign_in.models import SignIn

router = APIRouter(include_in_schema=False)

_HERE = "proctor_sign_in_here"
_LINKED = "/account/security#identities"
_Provider = Annotated[str, Line(100)]


@dataclass(frozen=True)
class BegunHere:
    """A log-in of this browser's own: its secret, the page that follows, and its provider."""

    secret: str
    then: str
    provider: str


@router.post("/sign-in/with/{provider}", response_class=HTMLResponse)
async def begin(
    request: Request,
    provider: _Provider,
    sessions: SessionsDep,
    parties: PartiesDep,
    settings: SettingsDep,
    source: SourceDep,
    token: TokenDep,
) -> HTMLResponse:
    """Sends the browser to the provider, to come back signed in, or with an identity linked to its account."""
    browser, fields = await _own_form(request, settings)
    party = party_of(parties, provider)
    user = await in_stream_thread(get_asker, request, token) if fields.get("link") else None
    await unit(sessions, lambda session: service.count_sign_in(session, source=source))

    def begun(session: Session) -> tuple[str, SignIn, service.Leaving]:
        return _begun(session, provider, offered=list(parties), source=source, user=user)

    secret, row, leaving = await unit(sessions, begun)
    answer = await leave_for(request, sessions, settings, party, leaving, sign_in=row.id, provider=provider)
    then = fields.get("then", "/")
    where = _LINKED if user is not None else then if is_local(then) else "/"
    held = f"{secret}.{base64.urlsafe_b64encode(where.encode()).decode()}.{provider}"
    browser.keep(answer, _HERE, browser.keys.signed(_HERE, held), lasts=service.LASTS)
    return answer


@router.get("/sign-in/new/{provider}", response_class=HTMLResponse)
async def name_oneself(
    request: Request,
    provider: _Provider,
    sessions: SessionsDep,
    parties: PartiesDep,
    settings: SettingsDep,
) -> Response:
    """Asks somebody whom the provider vouched for, and whom nobody knows here, for a name and an address."""
    begun = _kept(request)
    if begun is None or begun.provider != provider:
        raise service.over()
    row, opened = await _outcome(sessions, settings, begun)
    if opened is not None or row.user_id is not None:
        return _done(request, begun, opened)
    title = party_of(parties, provider).provider.called
    return page(request, "account/name.html", title=title, row=row, secret=begun.secret, then=begun.then)


def begun_by(request: Request, row: SignIn) -> BegunHere | None:
    """The log-in of `row`, if this browser began it itself; None of one that a command waits for."""
    begun = _kept(request)
    if begun is None or not hmac.compare_digest(row.secret_hash, token_hash(begun.secret)):
        return None
    return begun


async def finish(
    request: Request, sessions: SessionFactory, settings: Settings, begun: BegunHere
) -> Response:
    """Where a browser goes that came back: on, signed in or with an identity more, or to name its person."""
    row, opened = await _outcome(sessions, settings, begun)
    if opened is None and row.user_id is None:
        answer: Response = RedirectResponse(f"/sign-in/new/{begun.provider}", status_code=303)
        own_browser(request.scope).forget(answer, COOKIE)
        return answer
    return _done(request, begun, opened)


def _done(request: Request, begun: BegunHere, opened: Opened | None) -> Response:
    answer = RedirectResponse(begun.then, status_code=303)
    browser = own_browser(request.scope)
    for name in (COOKIE, _HERE):
        browser.forget(answer, name)
    if opened is not None:
        browser.sign_in(answer, token=opened.token, lasts=SESSION_LASTS, device=opened.device)
    else:
        browser.say(answer, "The identity is linked to your account.")
    return answer


async def _outcome(
    sessions: SessionFactory, settings: Settings, begun: BegunHere
) -> tuple[SignIn, Opened | None]:
    key = settings.secret_key.get_secret_value()
    row, opened = await unit(sessions, lambda session: service.outcome(session, begun.secret, key=key))
    if row.refused is not None:
        raise service.refused(row.refused)
    return row, opened


def _begun(
    session: Session, provider: str, *, offered: list[str], source: str, user: User | None
) -> tuple[str, SignIn, service.Leaving]:
    asked_by = f"a browser, from {sources.coarse(source)}"
    begun = service.begin(session, provider, offered=offered, asked_by=asked_by, user=user)
    row = service.waiting(session, begun.page)
    leaving = service.leave(session, begun.page, begun.code)
    assert leaving is not None  # noqa: S101 - the code is its own
    return begun.secret, row, leaving


async def _own_form(request: Request, settings: Settings) -> tuple[Browser, dict[str, str]]:
    """The fields of a form of a page that this server made for this browser.

    Raises:
        Forbidden: it came from elsewhere, or to another address than the one that providers send people back to.
    """
    try:
        sent = parse_qs((await request.body()).decode("ascii", errors="replace"), max_num_fields=5)
    except ValueError:
        sent = {}
    fields = {name: values[0] for name, values in sent.items()}
    browser = own_browser(request.scope)
    own = request.headers.get("origin") == settings.public_url
    if not own or not browser.sent_from_here(fields.get("_csrf")):
        raise Forbidden(
            ErrorCode.FORM_FROM_ELSEWHERE,
            f"This was not sent from a page of {settings.public_url} as it was made for this browser. Open the page "
            "there, and send it once more.",
        )
    return browser, fields


def _kept(request: Request) -> BegunHere | None:
    browser = own_browser(request.scope)
    held = browser.keys.genuine(_HERE, browser.kept(_HERE))
    if held is None:
        return None
    secret, then, provider = held.split(".")
    return BegunHere(secret, base64.urlsafe_b64decode(then).decode(), provider)
