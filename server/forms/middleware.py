"""Browsers before everything else that answers: their cookies become tokens, and their forms requests of the API.

So a page can do what the API can, and nothing else; who may, what is counted, what is written down and what is refused
is decided where it is for everybody.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.accounts.log_ins import SESSION_LASTS
from server.browser.cookies import Browser, remember
from server.browser.keys import Keys
from server.errors import Problem
from server.forms.asking import Answered, as_json, ask, request_of
from server.forms.form import Form
from server.forms.held import Held
from server.forms.showing import OPENS, from_elsewhere, onward, parts_of, refusal, shown
from server.front import body
from server.front.middleware import State
from server.front.threads import in_stream_thread
from server.problems import answer_to
from server.settings import Settings

TOKEN_HEADER = "X-Form-Token"  # noqa: S105 - a header, and no token
"""What scripts of pages send along with whatever changes something: the page's token."""

_API = "/api/v1/"
_MOST = 4 * 2**20  # bytes of a form: a challenge file fits
_MOST_OF_STRANGERS = 64 * 2**10
_SMALL = 16 * 2**10  # bytes that are taken apart at once; more would hold up the others
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_FORM = "application/x-www-form-urlencoded"
_ENDS = frozenset(
    {("DELETE", "/api/v1/sessions/current"), ("DELETE", "/api/v1/sessions"), ("POST", "/api/v1/me/close")}
)


class Browsers:
    """Stands before the application, inside of what completes headers. Whoever shows a token is let through as is."""

    def __init__(self, app: ASGIApp, settings: Settings, front: State) -> None:
        self._app, self._front = app, front
        self._keys = Keys(settings.secret_key.get_secret_value())
        self._public_url = settings.public_url
        self._public_host = urlsplit(settings.public_url or "").netloc
        self._secure = (settings.public_url or "").startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        browser = Browser.of(scope, self._keys, secure=self._secure)
        remember(scope, browser)
        if "authorization" in headers or scope["path"].startswith("/assets/"):
            await self._app(scope, receive, send)
        elif _is_form(scope, headers):
            response = await self._form(scope, receive, browser)
            if response is not None:
                await response(scope, receive, send)
        else:
            await self._plain(scope, receive, send, browser, headers)

    async def _plain(
        self, scope: Scope, receive: Receive, send: Send, browser: Browser, headers: Headers
    ) -> None:
        if browser.token is not None:
            changes = scope["method"] not in _SAFE and scope["path"].startswith(_API)
            if changes and not (self._is_own(headers) and browser.sent_from_here(headers.get(TOKEN_HEADER))):
                await self._turned_away(scope, browser)(scope, receive, send)
                return
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {browser.token}".encode())]
        await self._app(scope, receive, send)

    def _turned_away(self, scope: Scope, browser: Browser) -> Response:
        """The refusal of a script's request that no page of this server sent."""
        held = Held.of(self._front, scope, browser)
        problem: Problem = from_elsewhere()
        try:
            held.require()
        except Problem as spent:
            problem = spent
        return _counted(answer_to(Request(scope), problem), held)

    async def _form(self, scope: Scope, receive: Receive, browser: Browser) -> Response | None:
        request, held = Request(scope), Held.of(self._front, scope, browser)
        try:
            held.require()
            if not self._is_own(request.headers) or (browser.token is None and browser.visit is None):
                raise from_elsewhere()
            most = _MOST if browser.token is not None else _MOST_OF_STRANGERS
            content = await body.read(receive, most, held.more)
            form = (
                await in_stream_thread(Form.parse, content) if len(content) > _SMALL else Form.parse(content)
            )
            if not browser.sent_from_here(form.token):
                raise from_elsewhere()
            method, query = _override(scope["query_string"])
            answered, response = await self._asked(scope, receive, browser, form, method, query)
        except ClientDisconnect:
            held.refused()
            return None
        except Problem as problem:
            return _counted(refusal(request, problem), held)
        finally:
            held.end()
        site = self._public_url or str(request.base_url).rstrip("/")
        return response if response is not None else shown(request, browser, form, answered, site)

    async def _asked(
        self, scope: Scope, receive: Receive, browser: Browser, form: Form, method: str, query: bytes
    ) -> tuple[Answered, Response | None]:
        """The API's answer, and what follows from it for the browser's session."""
        path, content = scope["path"], dict(form.body)
        if path == "/api/v1/sessions" and browser.device is not None:
            content["device"] = browser.device
        sent = as_json(content)
        inner = request_of(scope, method=method, query=query, body=sent, token=browser.token)
        if form.key is not None:
            inner["headers"].append((b"idempotency-key", form.key.encode()))
        answered = await ask(self._app, inner, sent, receive)
        if path == "/api/v1/accounts" and answered.status == HTTPStatus.CREATED:
            answered = await self._sign_in_too(scope, receive, browser, content)
            path = "/api/v1/sessions"
        response = None
        if method == "POST" and path in OPENS and answered.status == HTTPStatus.CREATED:
            opened = answered.content
            response = onward(Request(scope), browser, form, {})
            browser.sign_in(response, token=opened["token"], lasts=SESSION_LASTS, device=opened.get("device"))
        elif _ended(method, path, answered.status):
            response = onward(Request(scope), browser, form, {}, otherwise="/")
            browser.sign_out(response)
        return answered, response

    async def _sign_in_too(
        self, scope: Scope, receive: Receive, browser: Browser, registered: dict[str, Any]
    ) -> Answered:
        """Signs in somebody who has just registered, with what they typed."""
        sent = as_json({name: registered[name] for name in ("email", "password")})
        inner = request_of(scope, method="POST", query=b"", body=sent, token=None, path="/api/v1/sessions")
        return await ask(self._app, inner, sent, receive)

    def _is_own(self, headers: Headers) -> bool:
        """Whether the browser says that a page of this server sent it, or says nothing, as old ones do."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        named = parts_of(origin).netloc  # of "null", which a page in a box sends, there is none
        return named != "" and named in (headers.get("host"), self._public_host)


def _ended(method: str, path: str, status: int) -> bool:
    """Whether the browser's session is over; who signs out of one that is over already has signed out."""
    gone = status == HTTPStatus.UNAUTHORIZED and path == "/api/v1/sessions/current"
    return (method, path) in _ENDS and (gone or status < HTTPStatus.MULTIPLE_CHOICES)


def _is_form(scope: Scope, headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return scope["method"] == "POST" and kind == _FORM and scope["path"].startswith(_API)


def _override(query: bytes) -> tuple[str, bytes]:
    """The method that a form means, which can send none but GET and POST by itself, and the rest of the query."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    method = next((value for name, value in pairs if name == "_method"), "POST")
    rest = [(name, value) for name, value in pairs if name != "_method"]
    return (method if method in _METHODS else "POST"), urlencode(rest).encode()


def _counted(response: Response, held: Held) -> Response:
    """The refusal, which spends a request as any other does, and says what is left."""
    response.raw_headers.extend(held.refused().headers)
    return response
