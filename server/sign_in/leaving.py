"""A browser that leaves for a provider, and what holds on its way back, whoever began the log-in."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from contract.ids import SignInId
from contract.problems import ErrorCode
from server.browser.cookies import own_browser
from server.database import SessionFactory, unit_of_work
from server.errors import NotFound, Problem
from server.front.threads import in_stream_thread
from server.pages import page
from server.settings import Settings
from server.sign_in import service
from server.sign_in.relying import RelyingParty

COOKIE = "proctor_sign_in"
"""What a browser on its way is known by. Like every cookie of pages it can be set by this host alone over HTTPS: who
could give somebody's browser the one of their own log-in would have that person log in as them.
"""

_Answer = TypeVar("_Answer")


async def leave_for(
    request: Request,
    sessions: SessionFactory,
    settings: Settings,
    party: RelyingParty,
    leaving: service.Leaving,
    *,
    sign_in: SignInId,
    provider: str,
) -> HTMLResponse:
    """A page that sends the browser on to the provider, and what it will be known by when it comes back."""
    async with told(sessions, sign_in):
        url = await party.authorization_url(
            redirect_uri=callback(settings, provider),
            state=leaving.state,
            nonce=leaving.nonce,
            verifier=leaving.verifier,
        )
    # A redirect would be held against the policy for forms, which need not know where providers are.
    answer = page(request, "sign_in_leaving.html", title=party.provider.called, url=url)
    own_browser(request.scope).keep(answer, COOKIE, leaving.browser, lasts=service.LASTS)
    return answer


def party_of(parties: dict[str, RelyingParty], name: str) -> RelyingParty:
    """This installation towards a provider.

    Raises:
        NotFound: nobody logs in through it.
    """
    if name not in parties:
        raise NotFound(ErrorCode.UNKNOWN_PROVIDER, f"Nobody logs in through {name!r} here.")
    return parties[name]


def callback(settings: Settings, provider: str) -> str:
    """Where the provider sends the browser back."""
    return f"{settings.public_url}/sign-in/back/{provider}"


@asynccontextmanager
async def told(sessions: SessionFactory, sign_in_id: SignInId) -> AsyncIterator[None]:
    """Has whoever waits for the log-in told what its person is told."""
    try:
        yield
    except Problem as problem:
        why = problem.detail
        await unit(sessions, lambda session: service.refuse(session, sign_in_id, why))
        raise


async def unit(sessions: SessionFactory, work: Callable[[Session], _Answer]) -> _Answer:
    """A unit of work in a thread of its own; no connection is held while a provider is asked."""

    def done() -> _Answer:
        with unit_of_work(sessions) as session:
            return work(session)

    return await in_stream_thread(done)
