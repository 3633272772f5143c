"""What endpoints depend on: settings, a session that commits before the response leaves, and who is asking.

Whatever touches neither disk nor database is a coroutine: every plain function costs a change of threads.
"""

from collections.abc import AsyncIterator
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from server.accounts import service as accounts
from server.accounts.principals import Admin, RunWorker, User
from server.blobs import BlobStore
from server.database import commit, unit_of_work
from server.front.callers import Person
from server.settings import Settings

_bearer = HTTPBearer(auto_error=False, description="An API token or a session token")


async def get_settings(request: Request) -> Settings:
    """The settings the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


async def get_session(request: Request) -> AsyncIterator[Session]:
    """One unit of work per request; it has a connection from its first statement on."""
    session: Session = request.app.state.sessions()
    try:
        yield session
        await run_in_threadpool(commit, session)
    finally:
        if session.in_transaction():
            await run_in_threadpool(session.close)
        else:
            session.close()


SettingsDep = Annotated[Settings, Depends(get_settings)]
# scope="function": the commit happens before the response is sent, so nobody is told what did not last.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
BearerDep = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def get_blobs(settings: SettingsDep) -> BlobStore:
    """The blob store."""
    return settings.blobs


BlobsDep = Annotated[BlobStore, Depends(get_blobs)]


async def _token(credentials: BearerDep) -> str | None:
    return credentials.credentials if credentials else None


TokenDep = Annotated[str | None, Depends(_token)]


def get_user(request: Request, session: SessionDep, token: TokenDep) -> User:
    """The signed-in user."""
    return _noted(request, token, accounts.authenticate_user(session, token))


def get_asker(request: Request, token: TokenDep) -> User:
    """The signed-in user of an endpoint that takes its time: no connection stays with the request."""
    with unit_of_work(request.app.state.sessions) as session:
        return get_user(request, session, token)


def get_admin(request: Request, session: SessionDep, token: TokenDep) -> Admin:
    """The signed-in admin."""
    return _noted(request, token, accounts.authenticate_admin(session, token))


def get_run_worker(session: SessionDep, token: TokenDep) -> RunWorker:
    """The run worker whose token this is."""
    return accounts.authenticate_run_worker(session, token)


_U = TypeVar("_U", bound=User)


def _noted(request: Request, token: str | None, user: _U) -> _U:
    """The user, whose next requests need not queue with those of strangers."""
    if token is not None:
        request.app.state.front.people.note(token, Person(user.actor, user.acts_as_admin))
    return user


UserDep = Annotated[User, Depends(get_user)]
AskerDep = Annotated[User, Depends(get_asker)]
AdminDep = Annotated[Admin, Depends(get_admin)]
RunWorkerDep = Annotated[RunWorker, Depends(get_run_worker)]


def get_viewer(request: Request, session: SessionDep, token: TokenDep) -> User | None:
    """Who is looking at a public page: a signed-in user, or nobody in particular."""
    return None if token is None else get_user(request, session, token)


ViewerDep = Annotated[User | None, Depends(get_viewer)]
