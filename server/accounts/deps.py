"""Who is asking, as endpoints depend on it: nobody in particular, a user, an admin or a run worker."""

from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from server.accounts import service
from server.accounts.known import Person
from server.accounts.principals import Admin, RunWorker, User
from server.accounts.sources import coarse, source_of
from server.database import unit_of_work
from server.deps import SessionDep, SettingsDep

_bearer = HTTPBearer(auto_error=False, description="An API token or a session token")

BearerDep = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def _token(credentials: BearerDep) -> str | None:
    return credentials.credentials if credentials else None


TokenDep = Annotated[str | None, Depends(_token)]


def get_user(request: Request, session: SessionDep, token: TokenDep) -> User:
    """The signed-in user."""
    return _noted(request, token, service.authenticate_user(session, token))


def get_asker(request: Request, token: TokenDep) -> User:
    """The signed-in user of an endpoint that takes its time: no connection stays with the request."""
    with unit_of_work(request.app.state.sessions) as session:
        return get_user(request, session, token)


def get_admin(request: Request, session: SessionDep, token: TokenDep) -> Admin:
    """The signed-in admin."""
    return _noted(request, token, service.authenticate_admin(session, token))


def get_run_worker(session: SessionDep, token: TokenDep) -> RunWorker:
    """The run worker whose token this is."""
    return service.authenticate_run_worker(session, token)


_U = TypeVar("_U", bound=User)


def _noted(request: Request, token: str | None, user: _U) -> _U:
    """The user, whose next requests need not queue with those of strangers, and whose token was used."""
    if token is not None:
        front = request.app.state.front
        front.people.note(token, Person(user.actor, user.acts_as_admin, user.token_ends))
        front.uses.note(user.token_id, coarse(source_of(request)))
    return user


UserDep = Annotated[User, Depends(get_user)]


def get_verified(session: SessionDep, user: UserDep, settings: SettingsDep) -> User:
    """The signed-in user, whose address is verified where the installation requires that."""
    service.require_verified(session, user, required=settings.verify_addresses)
    return user


VerifiedDep = Annotated[User, Depends(get_verified)]
AskerDep = Annotated[User, Depends(get_asker)]
AdminDep = Annotated[Admin, Depends(get_admin)]
RunWorkerDep = Annotated[RunWorker, Depends(get_run_worker)]


def get_viewer(request: Request, session: SessionDep, token: TokenDep) -> User | None:
    """Who is looking at a public page: a signed-in user, or nobody in particular."""
    return None if token is None else get_user(request, session, token)


ViewerDep = Annotated[User | None, Depends(get_viewer)]
