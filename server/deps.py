"""What endpoints depend on: settings, a session that commits before the response leaves, and the blob store.

Who is asking: `server.accounts.deps`. Whatever touches neither disk nor database is a coroutine: every plain function
costs a change of threads.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from server.blobs import BlobStore
from server.database import SessionFactory, commit
from server.settings import Settings


async def get_settings(request: Request) -> Settings:
    """The settings the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


async def get_sessions(request: Request) -> SessionFactory:
    """What makes units of work, for endpoints that have several: no connection is held in between."""
    sessions: SessionFactory = request.app.state.sessions
    return sessions


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
SessionsDep = Annotated[SessionFactory, Depends(get_sessions)]
# scope="function": the commit happens before the response is sent, so nobody is told what did not last.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]


async def get_blobs(settings: SettingsDep) -> BlobStore:
    """The blob store."""
    return settings.blobs


BlobsDep = Annotated[BlobStore, Depends(get_blobs)]


class CsvResponse(Response):
    """What the API's description says of answers that are CSV."""

    media_type = "text/csv"
