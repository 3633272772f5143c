"""Headers that every answer has, whoever made it, and redirects that do not repeat how a request calls this server."""

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import requests

# Of answers that say nothing else: no page may be made of them, and none may frame them.
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # no page beside this host draws a picture as its reader may see it
    "Content-Security-Policy": NOTHING,
}


class SafeHeaders:
    """Stands before everything else. What an answer says itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on, and its answer back with its headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        requests.begin(scope)

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                complete(MutableHeaders(scope=message), scope, message["status"])
            await send(message)

        await self._app(scope, receive, completed)


def complete(headers: MutableHeaders, scope: Scope, status: int) -> None:
    """Adds what an answer to the request `scope` does not say itself."""
    # A browser takes headers of "not modified" over into what it kept; that came with its own, a page's policy too.
    for name, value in _ALWAYS.items() if status != HTTPStatus.NOT_MODIFIED else ():
        headers.setdefault(name, value)
    if (id_ := requests.id_of(scope)) is not None:
        headers[requests.HEADER] = id_
    if scope["path"].startswith("/api/"):
        # Only what is the same for everybody, and has a tag to ask again with, may be kept anywhere.
        shared = "etag" in headers and "authorization" not in Headers(scope=scope)
        headers.setdefault("Cache-Control", "no-cache" if shared else "no-store")
    if "location" in headers:
        headers["Location"] = _here(headers["location"])


def _here(location: str) -> str:
    """The path of an address of this server: the framework builds the rest of it from the Host header."""
    parts = urlsplit(location)
    path = re.sub("^/{2,}", "/", parts.path)
    query = f"?{parts.query}" if parts.query else ""
    return f"{path}{query}#{parts.fragment}" if parts.fragment else f"{path}{query}"
