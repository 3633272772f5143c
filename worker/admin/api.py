"""How a command asks the REST API: of the installation on this machine, in this process, or of a server with a token.

Both take the same way through the application, so that a command can do nothing that a program cannot.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from contract.accounts import Scope
from contract.admin import Item, Page
from contract.ids import TokenId, UserId
from contract.problems import ErrorCode
from server.accounts import deps
from server.accounts.known import Person
from server.accounts.principals import OPERATOR, Operator
from server.admin.pages import MOST, gathered
from server.app import API, Substitutes, create_app
from server.settings import Settings
from worker.admin.context import database_away, fail, settings_of, work

_PATIENCE = 600.0  # seconds: a preview of a large board takes its time
_NOBODY = UUID(int=0)


class Refused(Exception):
    """What the server refused, as its problem document says it; `told` is all of that document."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told.get("detail") or told.get("title") or "The server refused it.")
        self.code: str = told.get("code", "")
        self.told = told


class Api:
    """The REST API below /api/v1. Every method returns the answer's JSON, None where it has none.

    settings: of the installation on this machine; None where another server is asked.

    Raises:
        Refused: the server said no, and why.
    """

    def __init__(self, http: httpx.Client, settings: Settings | None) -> None:
        self._http = http
        self.settings = settings

    def get(self, path: str, **query: Any) -> Any:
        """GET with what of `query` is not None."""
        return self._asked("GET", path, query, None)

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """POST of JSON."""
        return self._asked("POST", path, query, body)

    def put(self, path: str, body: Any = None, **query: Any) -> Any:
        """PUT of JSON."""
        return self._asked("PUT", path, query, body)

    def send(self, method: str, path: str, content: bytes | Iterable[bytes], **query: Any) -> Any:
        """PUT or POST of bytes; those that come one after the other can only be sent to another server."""
        response = self._sent(method, path, query, None, content)
        return response.json() if response.content else None

    def patch(self, path: str, body: Any = None, **query: Any) -> Any:
        """PATCH of JSON."""
        return self._asked("PATCH", path, query, body)

    def delete(self, path: str, **query: Any) -> Any:
        """DELETE."""
        return self._asked("DELETE", path, query, None)

    def listed(self, path: str, kind: type[Item], most: int = sys.maxsize, **query: Any) -> Page[Item]:
        """The first `most` items of a list that comes in pages, as one page."""

        def ask(after: UUID | None, wanted: int) -> Page[Item]:
            answer = self.get(path, after=after, limit=min(wanted, MOST), **query)
            return Page(items=[kind.model_validate(item) for item in answer["items"]], next=answer["next"])

        return gathered(ask, most)

    def text(self, path: str, **query: Any) -> str:
        """The text that a path answers, such as CSV."""
        return self._sent("GET", path, query, None).text

    @contextmanager
    def download(self, path: str, **query: Any) -> Iterator[httpx.Response]:
        """The answer of GET, whose bytes come as they are read."""
        given = {name: value for name, value in query.items() if value is not None}
        with self._http.stream("GET", f"{API}{quote(path)}", params=given) as response:
            if response.is_error:
                response.read()
                raise Refused(_problem(response))
            yield response

    def _asked(self, method: str, path: str, query: dict[str, Any], body: Any) -> Any:
        response = self._sent(method, path, query, body)
        return response.json() if response.content else None

    def _sent(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        body: Any,
        content: bytes | Iterable[bytes] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in query.items() if value is not None}
        # Names in a path are as somebody typed them.
        response = self._http.request(method, f"{API}{quote(path)}", params=given, json=body, content=content)
        if response.is_error:
            raise Refused(_problem(response))
        return response


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        told = response.json()
    except ValueError:
        told = None
    if isinstance(told, dict):
        return told
    return {
        "detail": f"{response.url} answered {response.status_code} and no sentence: is it a Proctor server?"
    }


@contextmanager
def api(*, server: str | None, data: Path | None) -> Iterator[Api]:
    """The API of `server`, with the token in PROCTOR_TOKEN, or else of the installation on this machine.

    What is refused and not caught ends the command with its sentence.
    """
    settings = None if server else settings_of(data)
    if settings is not None:
        # Here a database that is away is said in one sentence, and in no line of a log.
        with work(settings) as session:
            session.execute(text("SELECT 1"))
    with _remote(server or "") if settings is None else _local(settings) as http:
        try:
            yield Api(http, settings)
        except Refused as refused:
            if settings is not None and refused.code == ErrorCode.DATABASE_AWAY:
                fail(database_away(settings))
            fail(str(refused))
        except httpx.InvalidURL as error:
            fail(f"A name that was given cannot be part of an address: {error}")
        except httpx.UnsupportedProtocol:
            fail(f"{server!r} is no server's address: it looks like https://challenge.example.")
        except httpx.HTTPError as error:
            fail(f"{server or 'The installation'} does not answer: {error or type(error).__name__}")


@contextmanager
def nobody(*, server: str | None, data: Path | None) -> Iterator[httpx.Client]:
    """Asks as somebody without a token does, pages and the API: of `server`, or of the installation on this machine.

    Redirects are answers as others are. Who asks gets what any visitor gets, and nothing else.
    """
    settings = None if server else settings_of(data)
    if settings is None:
        address = (server or "").rstrip("/").removesuffix(API)
        with httpx.Client(base_url=address, timeout=_PATIENCE) as http:
            yield http
        return
    with (
        _InProcess(create_app(settings)) as transport,
        httpx.Client(base_url="http://localhost", transport=transport) as http,
    ):
        yield http


def _remote(server: str) -> httpx.Client:
    token = os.environ.get("PROCTOR_TOKEN")
    if not token:
        fail(
            "Set PROCTOR_TOKEN to a token of yours on that server: 'proctor token create NAME --scope organize' makes "
            "one."
        )
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=server.rstrip("/").removesuffix(API), headers=headers, timeout=_PATIENCE)


@contextmanager
def _local(settings: Settings) -> Iterator[httpx.Client]:
    app = create_app(settings, substitutes=_AS_OPERATOR)
    token = secrets.token_urlsafe()
    app.state.front.people.note(token, Person(_operator().actor, True))
    headers = {"Authorization": f"Bearer {token}"}
    with (
        _InProcess(app) as transport,
        httpx.Client(base_url="http://localhost", headers=headers, transport=transport) as http,
    ):
        yield http


def _operator() -> Operator:
    return Operator(
        id=UserId(_NOBODY),
        name=OPERATOR,
        is_admin=True,
        scopes=frozenset(Scope),
        token_id=TokenId(_NOBODY),
    )


_AS_OPERATOR = Substitutes(
    dict.fromkeys((deps.get_user, deps.get_asker, deps.get_admin, deps.get_viewer), _operator)
)


class _InProcess(httpx.BaseTransport):
    """The application without a socket, for programs that are not asynchronous."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._inner = httpx.ASGITransport(app)
        self._runner = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, answered whole."""
        return self._runner.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

    def close(self) -> None:
        """Leaves no connection to the database behind."""
        self._runner.close()
        self._app.state.front.probe.close()
        self._app.state.sessions.kw["bind"].dispose()
