"""Who is asking comes before what was sent: the framework reads a body before it asks for a token."""

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security.utils import get_authorization_scheme_param
from sqlalchemy.orm import Session

from server.accounts import service as accounts
from server.accounts.deps import get_admin, get_asker, get_run_worker, get_user
from server.database import unit_of_work
from server.errors import Problem
from server.refusals import depends_on

_Authenticate = Callable[[Session, str | None], object]
_GUARDS: tuple[tuple[Callable[..., Any], _Authenticate], ...] = (
    (get_admin, accounts.authenticate_admin),
    (get_run_worker, accounts.authenticate_run_worker),
    (get_user, accounts.authenticate_user),
    (get_asker, accounts.authenticate_user),
)


def refusal(request: Request) -> Problem | None:
    """Why whoever sent this request may not, if its route asks for a token; to be called in a thread."""
    guard = _guard(request)
    if guard is None:
        return None
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    with unit_of_work(request.app.state.sessions) as session:
        try:
            guard(session, token if scheme.lower() == "bearer" else None)
        except Problem as problem:
            return problem
    return None


def _guard(request: Request) -> _Authenticate | None:
    endpoint = request.scope.get("endpoint")
    for route in iter_route_contexts(request.app.routes):
        if isinstance(route.original_route, APIRoute) and route.endpoint is endpoint:
            return next((guard for call, guard in _GUARDS if depends_on(route.dependant, call)), None)
    return None
