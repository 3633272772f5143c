"""What endpoints depend on: settings, a session that commits before the response leaves, and who is asking."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from server.accounts import service as accounts
from server.accounts.principals import Admin, RunWorker, User
from server.blobs import BlobStore
from server.database import unit_of_work
from server.settings import Settings

_bearer = HTTPBearer(auto_error=False, description="An API token or a session token")


def get_settings(request: Request) -> Settings:
    """The settings the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


def get_session(request: Request) -> Iterator[Session]:
    """One unit of work per request."""
    with unit_of_work(request.app.state.sessions) as session:
        yield session


SettingsDep = Annotated[Settings, Depends(get_settings)]
# scope="function": the commit happens before the response is sent, so nobody is told what did not last.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
BearerDep = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def get_blobs(settings: SettingsDep) -> BlobStore:
    """The blob store."""
    return settings.blobs


BlobsDep = Annotated[BlobStore, Depends(get_blobs)]


def _token(credentials: BearerDep) -> str | None:
    return credentials.credentials if credentials else None


def get_user(session: SessionDep, token: Annotated[str | None, Depends(_token)]) -> User:
    """The signed-in user."""
    return accounts.authenticate_user(session, token)


def get_admin(session: SessionDep, token: Annotated[str | None, Depends(_token)]) -> Admin:
    """The signed-in admin."""
    return accounts.authenticate_admin(session, token)


def get_run_worker(session: SessionDep, token: Annotated[str | None, Depends(_token)]) -> RunWorker:
    """The run worker whose token this is."""
    return accounts.authenticate_run_worker(session, token)


UserDep = Annotated[User, Depends(get_user)]
AdminDep = Annotated[Admin, Depends(get_admin)]
RunWorkerDep = Annotated[RunWorker, Depends(get_run_worker)]


def get_viewer(session: SessionDep, token: Annotated[str | None, Depends(_token)]) -> User | None:
    """Who is looking at a public page: a signed-in user, or nobody in particular."""
    return None if token is None else accounts.authenticate_user(session, token)


ViewerDep = Annotated[User | None, Depends(get_viewer)]
