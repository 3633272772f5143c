"""What the registry and those who push to it ask over HTTP: tokens, and to be told of."""

import base64
import binascii
import hmac
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request

from contract.problems import ErrorCode
from contract.registry import RegistryEventsIn, RegistryTokenOut
from server.accounts.service import authenticate_user
from server.accounts.sources import source_of
from server.database import after_commit, unit_of_work
from server.deps import SessionDep, SettingsDep
from server.errors import NotFound, Problem, Unauthorized
from server.registry import service
from server.registry.signing import LASTS, sign
from server.wakeups import wake_checkers

router = APIRouter(tags=["registry"])
_Shown = Annotated[str | None, Header(include_in_schema=False, max_length=4096)]
_Asked = Annotated[list[Annotated[str, Query(max_length=1024)]] | None, Query(max_length=service.MOST_SCOPES)]


@router.get("/registry/token")
def registry_token(
    request: Request, settings: SettingsDep, scope: _Asked = None, authorization: _Shown = None
) -> RegistryTokenOut:
    """A token for the registry, for somebody who shows an API token as the password of HTTP's basic log-in.

    It allows what of `scope` its asker may do, and nothing where that is nothing.
    """
    if settings.registry_url is None:
        raise NotFound(
            ErrorCode.NO_REGISTRY, "This server takes no pushed images. Upload the archive instead."
        )
    sessions, source = request.app.state.sessions, source_of(request)
    try:
        # Each on its own: a wrong log-in is to stay counted, and a right one not, whatever it may do.
        with unit_of_work(sessions) as session:
            service.count_log_in(session, source, per_source=settings.log_ins_per_source)
        with unit_of_work(sessions) as session:
            user = authenticate_user(session, _password(authorization))
            service.give_back(session, source)
        with unit_of_work(sessions) as session:
            scopes = [one for several in scope or () for one in several.split()]
            granted = service.grants(session, user, scopes[: service.MOST_SCOPES])
    except Problem as problem:
        problem.extra["details"] = problem.detail  # what `docker` shows
        raise
    token = sign(settings, str(user.id), granted)
    return RegistryTokenOut(token=token, access_token=token, expires_in=LASTS)


@router.post("/registry/events", status_code=204)
def registry_events(
    body: RegistryEventsIn, session: SessionDep, settings: SettingsDep, authorization: _Shown = None
) -> None:
    """The registry tells of what was pushed; it shows the secret that only both know."""
    secret = settings.registry_secret
    shown = (authorization or "").removeprefix("Bearer ").encode()
    if secret is None or not hmac.compare_digest(shown, secret.get_secret_value().encode()):
        raise Unauthorized(
            ErrorCode.NOT_THE_REGISTRY,
            "Only the registry may tell of pushes: it sends 'Authorization: Bearer' and PROCTOR_REGISTRY_SECRET.",
        )
    for event in body.events:
        target = event.target
        if event.action != "push":
            continue
        pushed = service.Pushed.of(target.repository, target.tag, target.digest, event.actor.name)
        if pushed is not None and service.note(session, pushed) is not None:
            after_commit(session, lambda: wake_checkers(settings.redis_url))


def _password(authorization: str | None) -> str | None:
    """The password of a basic log-in; None where there is none."""
    kind, _, packed = (authorization or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        told = base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return told.partition(":")[2] or None
