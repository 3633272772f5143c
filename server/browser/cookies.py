"""The cookies of pages: what they are called, what they hold, and how they are set and ended."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from server.browser.keys import Keys

_SESSION, _VISIT, _SAID, _DEVICE = "proctor_session", "proctor_visit", "proctor_said", "proctor_device"
_MOST_SAID = 600
_DEVICE_LASTS = 365 * 86_400
_HOST = "__Host-"
"""How names of cookies begin over HTTPS: browsers take such ones from this host alone, and from no host beside it."""
_KEY = "proctor.browser"


@dataclass(frozen=True)
class Browser:
    """What a request's cookies say. `token`: of a session that may have ended since; `visit`: of one that is nobody's.

    `secure`: whether cookies go over HTTPS alone. `sent`: all of them, by their names without what says so.
    """

    keys: Keys
    secure: bool
    token: str | None = None
    visit: str | None = None
    said: str | None = None
    device: str | None = None
    sent: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, scope: Scope, keys: Keys, *, secure: bool) -> "Browser":
        """Read from a request. What is not signed by this installation counts as not sent."""
        sent = {
            name.removeprefix(_HOST) if secure else name: value
            for name, value in _sent(Headers(scope=scope).getlist("cookie")).items()
            if name.startswith(_HOST) or not secure
        }
        said = keys.genuine(_SAID, sent.get(_SAID))
        return cls(
            keys,
            secure,
            token=keys.genuine(_SESSION, sent.get(_SESSION)),
            visit=keys.genuine(_VISIT, sent.get(_VISIT)),
            said=None if said is None else _plain(said),
            device=sent.get(_DEVICE),
            sent=sent,
        )

    @property
    def form_token(self) -> str | None:
        """What the forms of a page for this browser hold; None for one that has neither a session nor a visit."""
        of = self.token or self.visit
        return None if of is None else self.keys.form_token(of)

    def sent_from_here(self, shown: str | None) -> bool:
        """Whether a form or a script of a page that was made for this browser showed this token."""
        of = self.token or self.visit
        return of is not None and self.keys.is_form_token(of, shown)

    def sign_in(self, response: Response, *, token: str, lasts: timedelta, device: str | None) -> None:
        """Has the browser keep a session, and that its person has logged in on it."""
        self._set(response, _SESSION, self.keys.signed(_SESSION, token), int(lasts.total_seconds()))
        if device is not None:
            self._set(response, _DEVICE, device, _DEVICE_LASTS)

    def sign_out(self, response: Response) -> None:
        """Has the browser forget its session; it stays a device that its person has used."""
        self._end(response, _SESSION)

    def say(self, response: Response, sentence: str) -> None:
        """Has the next page say what was done."""
        held = base64.urlsafe_b64encode(sentence[:_MOST_SAID].encode()).decode("ascii")
        self._set(response, _SAID, self.keys.signed(_SAID, held), 60)

    def said_it(self, response: Response) -> None:
        """It was said, once."""
        self._end(response, _SAID)

    def begin_visit(self, response: Response, visit: str) -> None:
        """Has the browser of somebody who is not signed in keep what its forms are known by."""
        self._set(response, _VISIT, self.keys.signed(_VISIT, visit), 86_400)

    def keep(self, response: Response, name: str, value: str, *, lasts: timedelta) -> None:
        """Has the browser keep something of a feature's own; what is not signed may come back as anything."""
        self._set(response, name, value, int(lasts.total_seconds()))

    def kept(self, name: str) -> str | None:
        """What the browser sends of what `keep` gave it; None where it sends nothing."""
        return self.sent.get(name)

    def forget(self, response: Response, name: str) -> None:
        """Has the browser forget what `keep` gave it."""
        self._end(response, name)

    def _set(self, response: Response, name: str, value: str, lasts: int) -> None:
        # Lax, not strict: who follows a link from a mail is signed in.
        response.set_cookie(
            self._named(name),
            value,
            max_age=lasts,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def _end(self, response: Response, name: str) -> None:
        response.delete_cookie(self._named(name), path="/", secure=self.secure, httponly=True, samesite="lax")

    def _named(self, name: str) -> str:
        return f"{_HOST}{name}" if self.secure else name


def remember(scope: Scope, browser: Browser) -> None:
    """Notes what a request's cookies say, for the page that answers it."""
    scope[_KEY] = browser


def own_browser(scope: Scope) -> Browser:
    """What a request's cookies say, for a page that is asked for through what reads them, as all pages are."""
    found = browser_of(scope)
    assert found is not None  # noqa: S101 - `server.forms` stands before every page
    return found


def browser_of(scope: Scope) -> Browser | None:
    """What a request's cookies say; None where nobody has read them."""
    found: Browser | None = scope.get(_KEY)
    return found


def _sent(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        for part in line.split(";"):
            jar: SimpleCookie = SimpleCookie()
            try:
                jar.load(part.strip())
            except CookieError:
                continue  # another application's on the same host
            found |= {name: morsel.value for name, morsel in jar.items()}
    return found


def _plain(held: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(held.encode("ascii")).decode()
    except ValueError:
        return None
