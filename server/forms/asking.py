"""A request of the API that a browser's form stands for, asked of the application behind, and its whole answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope

_DROPPED = {
    b"accept",
    b"accept-encoding",
    b"authorization",
    b"content-length",
    b"content-type",
    b"cookie",
    b"if-none-match",
    b"transfer-encoding",
}


@dataclass
class Answered:
    """What the API said."""

    status: int = 500
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def content(self) -> Any:
        """The answer's JSON; None where it has none."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


def request_of(
    scope: Scope, *, method: str, query: bytes, body: bytes, token: str | None, path: str | None = None
) -> Scope:
    """The scope of a request with a JSON body, as a program with this token would send it."""
    kept = [(name, value) for name, value in scope["headers"] if name not in _DROPPED]
    kept += [
        (b"accept", b"application/json"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if token is not None:
        kept.append((b"authorization", f"Bearer {token}".encode()))
    found: dict[str, Any] = {**scope, "method": method, "query_string": query, "headers": kept}
    if path is not None:
        found |= {"path": path, "raw_path": path.encode()}
    return found


async def ask(app: ASGIApp, scope: Scope, body: bytes, receive: Receive) -> Answered:
    """The application's answer to a request with this body."""
    answered, given = Answered(), False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    pieces: list[bytes] = []

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered.status = message["status"]
            answered.headers = Headers(raw=list(message.get("headers", ())))
        elif message["type"] == "http.response.body":
            pieces.append(message.get("body", b""))

    await app(scope, receiving, sending)
    answered.body = b"".join(pieces)
    return answered


def as_json(value: Mapping[str, Any]) -> bytes:
    """A JSON body."""
    return json.dumps(value).encode()
