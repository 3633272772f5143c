"""Every error leaves as application/problem+json (RFC 9457), or as a page for people, and none with a traceback."""

import errno
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute, iter_route_contexts
from psycopg.errors import DiskFull
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from contract.problems import ErrorCode
from server import requests, strangers
from server.blobs import BlobsAway
from server.disk import storage_full
from server.errors import Problem, busy, database_away
from server.headers import complete
from server.metrics import REFUSALS
from server.pages import error_page, wants_page
from server.refusals import code_of
from server.words import shortened, words

_log = structlog.get_logger()
_AWAY = ("08", "53", "57")  # SQLSTATE: of connections, of resources that are short, of shutting down
_NO_LOCK = ("55P03", "40P01")  # PostgreSQL: lock_not_available, deadlock_detected; nothing was changed
_PARTS = ("body", "path", "query", "header")
# What a refusal tells of what was wrong, and repeats of what was sent: as much as somebody reads.
_TOLD = 20
_MESSAGE, _NAME, _PATH = 300, 60, 200
_DEPTH = 10


def problem_response(
    status: int,
    code: ErrorCode,
    title: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> JSONResponse:
    """A problem+json response; `extra` fields stand beside the standard ones."""
    body = {
        "type": f"urn:proctor:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return JSONResponse(
        {**body, **extra}, status_code=status, headers=headers, media_type="application/problem+json"
    )


def _answer(
    request: Request,
    status: int,
    code: ErrorCode,
    title: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    """A page where a person's browser asks for one, else problem+json."""
    REFUSALS.labels(code).inc()
    if (id_ := requests.id_of(request.scope)) is not None:
        extra["instance"] = f"urn:proctor:request:{id_}"
    if status == HTTPStatus.UNAUTHORIZED and wants_page(request) and request.method == "GET":
        then = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'then': then})}", status_code=HTTPStatus.SEE_OTHER)
    if not wants_page(request):
        return problem_response(status, code, title, detail, headers=headers, **extra)
    again = code == ErrorCode.LINK_FROM_ELSEWHERE
    response = error_page(request, status, "Another site led here" if again else title, detail, again=again)
    response.headers.update(headers or {})
    return response


def answer_to(request: Request, problem: Problem) -> Response:
    """The problem as its asker reads it."""
    return _answer(
        request,
        problem.status,
        problem.code,
        problem.title,
        problem.detail,
        headers=problem.headers or None,
        **problem.extra,
    )


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - FastAPI routes by type
    if isinstance(error, BlobsAway):
        _log.error("blobs_away", method=request.method, path=request.url.path, why=error.why)
    return answer_to(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - FastAPI routes by type
    found = error.errors()
    if any(error["type"] == "json_invalid" for error in found) and (refused := await _refused(request)):
        return refused
    problems = [
        {"field": _field(error["loc"]) or "the request", "message": shortened(words(error), _MESSAGE)}
        for error in found[:_TOLD]
    ]
    detail = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
    if more := len(found) - len(problems):
        detail += f"; and {more:,} more"
    return _answer(request, 422, ErrorCode.INVALID_REQUEST, "Cannot be processed", detail, problems=problems)


def _field(where: Sequence[Any]) -> str:
    """The dotted name of a field, without the part of the request that it stands in."""
    inside = where[1:] if where and where[0] in _PARTS else where
    return ".".join(shortened(str(part), _NAME) for part in inside[:_DEPTH])


def _methods(request: Request) -> set[str]:
    """What a path can be asked; the framework itself names the methods of the first of its routes only."""
    routes = iter_route_contexts(request.app.routes)
    there = (route for route in routes if isinstance(route.original_route, APIRoute))
    return {
        method
        for route in there
        if route.path_regex.match(request.scope["path"])
        for method in route.methods or ()
    }


async def _refused(request: Request) -> Response | None:
    """The refusal of whoever sent a body that cannot be read, if they could not have sent any."""
    problem = await run_in_threadpool(strangers.refusal, request)
    return None if problem is None else _problem(request, problem)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - FastAPI routes by type
    if error.status_code == HTTPStatus.BAD_REQUEST and (refused := await _refused(request)):
        return refused
    title = HTTPStatus(error.status_code).phrase
    code = code_of(error.status_code)
    headers = dict(error.headers) if error.headers else {}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    detail = f"{title}: {request.method[:20]} {shortened(request.url.path, _PATH)}"
    if error.status_code == HTTPStatus.NOT_FOUND and wants_page(request):
        title, detail = "Nothing is here", "The address may be mistyped, or what stood here was removed."
    return _answer(request, error.status_code, code, title, detail, headers=headers)


def _no_such_value(request: Request, error: Exception) -> Response:
    detail = "The request holds a value that no record can have, such as a NUL or half a surrogate pair."
    return _answer(request, 400, ErrorCode.INVALID_VALUE, "Bad request", detail)


def _database_failed(request: Request, error: Exception) -> Response:
    """No room, a connection that was refused or lost, or a lock that others keep; other answers are faults of ours."""
    assert isinstance(error, DBAPIError | PoolTimeout)  # noqa: S101 - FastAPI routes by type
    cause = getattr(error, "orig", None)
    if isinstance(cause, DiskFull):
        return _without_room(request, error)
    state = getattr(cause, "sqlstate", None)
    if state in _NO_LOCK:
        return answer_to(request, busy("Somebody else is changing what this request is about."))
    if state is not None and state[:2] not in _AWAY and not getattr(error, "connection_invalidated", False):
        return _unexpected(request, error)
    _log.warning("database_away", method=request.method, path=request.url.path, error=type(error).__name__)
    return answer_to(request, database_away())


def _system_failed(request: Request, error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _without_room(request, error)
    return _unexpected(request, error)


def _without_room(request: Request, error: Exception) -> Response:
    """The disk was filled in spite of what is kept free: by somebody else, or the database has one of its own."""
    _log.error("disk_full", method=request.method, path=request.url.path, error=type(error).__name__)
    said = "A disk of the server is full to the last byte. Nothing was changed; try again later."
    return answer_to(request, storage_full(said))


def _unexpected(request: Request, error: Exception) -> Response:
    _log.exception("unexpected_error", method=request.method, path=request.url.path)
    detail = "The server met an error of its own. Nothing was lost; try again, and tell the organizers if it stays."
    response = _answer(request, 500, ErrorCode.INTERNAL_ERROR, "Internal error", detail)
    complete(
        response.headers, request.scope, response.status_code
    )  # made outside of the application's middleware
    return response


def install(app: FastAPI) -> None:
    """Registers the handlers of all errors."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DataError, _no_such_value)
    app.add_exception_handler(UnicodeEncodeError, _no_such_value)
    app.add_exception_handler(OperationalError, _database_failed)
    app.add_exception_handler(PoolTimeout, _database_failed)
    app.add_exception_handler(OSError, _system_failed)
    app.add_exception_handler(Exception, _unexpected)
