"""A person's browser on its way to a provider and back: a page to type what the terminal shows, and where it returns.

Who began a log-in is not yet who finishes it: somebody may send its address to another. So that person reads which
machine asks, and types what its terminal shows; and only the browser in which that was done may come back.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from contract.ids import SignInId
from contract.problems import ErrorCode
from contract.texts import Line
from server.database import SessionFactory, unit_of_work
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.errors import BadGateway, Forbidden, NotFound, Problem
from server.front.threads import in_stream_thread
from server.pages import page
from server.settings import Settings
from server.sign_in import service
from server.sign_in.api import PartiesDep
from server.sign_in.relying import RelyingParty

router = APIRouter(include_in_schema=False)

COOKIE = "proctor_sign_in"
_Key = Annotated[str, Line(100)]
_Answer = TypeVar("_Answer")


@router.get("/sign-in/{key}", response_class=HTMLResponse)
def ask_for_code(request: Request, key: _Key, session: SessionDep, parties: PartiesDep) -> HTMLResponse:
    """Says who asks for the log-in, and asks for what the terminal shows."""
    row = service.waiting(session, key)
    title = _party(parties, row.provider).provider.called
    return page(request, "sign_in.html", title=title, asked_by=row.asked_by, links=row.user_id)


@router.post("/sign-in/{key}", response_class=HTMLResponse)
async def go_on(
    request: Request, key: _Key, sessions: SessionsDep, parties: PartiesDep, settings: SettingsDep
) -> HTMLResponse:
    """Sends the browser to the provider, once its person typed what the terminal shows."""
    _require_own_page(request, settings)
    typed = _typed(await request.body())
    row = await _unit(sessions, lambda session: service.waiting(session, key))
    party = _party(parties, row.provider)
    leaving = await _unit(sessions, lambda session: service.leave(session, key, typed))
    if leaving is None:
        raise Forbidden(
            ErrorCode.WRONG_SIGN_IN_CODE,
            "This is not what the terminal shows. Go back and type it again; after five tries the log-in is over.",
        )
    async with _told(sessions, row.id):
        url = await party.authorization_url(
            redirect_uri=_callback(settings, row.provider),
            state=leaving.state,
            nonce=leaving.nonce,
            verifier=leaving.verifier,
        )
    # A redirect would be held against the policy for forms, which need not know where providers are.
    answer = page(request, "sign_in_leaving.html", title=party.provider.called, url=url)
    answer.set_cookie(
        COOKIE,
        leaving.browser,
        max_age=int(service.LASTS.total_seconds()),
        path="/sign-in/",
        secure=(settings.public_url or "").startswith("https://"),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/sign-in/back/{provider}", response_class=HTMLResponse)
async def come_back(
    request: Request,
    provider: _Key,
    sessions: SessionsDep,
    parties: PartiesDep,
    settings: SettingsDep,
    state: Annotated[str, Line(200)] = "",
    code: Annotated[str, Line(4000)] = "",
    error: Annotated[str, Line(200)] = "",
    iss: Annotated[str, Line(2000)] | None = None,
) -> HTMLResponse:
    """Takes the browser back from the provider, and asks the provider who its person is."""
    party = _party(parties, provider)
    browser = request.cookies.get(COOKIE)
    row = await _unit(
        sessions, lambda session: service.returning(session, provider, state=state, browser=browser)
    )
    async with _told(sessions, row.id):
        if error or not code:
            raise _not_given(party.provider.called, error)
        claimed = await party.claimed(
            code=code,
            redirect_uri=_callback(settings, provider),
            nonce=row.nonce,
            verifier=row.verifier,
            issuer=iss,
        )
    refused = await _unit(sessions, lambda session: service.conclude(session, row.id, claimed))
    if refused is not None:
        raise service.refused(refused)
    answer = page(request, "sign_in_done.html", title=party.provider.called)
    answer.delete_cookie(COOKIE, path="/sign-in/")
    return answer


def _party(parties: dict[str, RelyingParty], name: str) -> RelyingParty:
    if name not in parties:
        raise NotFound(ErrorCode.UNKNOWN_PROVIDER, f"Nobody logs in through {name!r} here.")
    return parties[name]


@asynccontextmanager
async def _told(sessions: SessionFactory, sign_in_id: SignInId) -> AsyncIterator[None]:
    """Has whoever waits for the log-in told what its person is told."""
    try:
        yield
    except Problem as problem:
        why = problem.detail
        await _unit(sessions, lambda session: service.refuse(session, sign_in_id, why))
        raise


def _not_given(called: str, error: str) -> Problem:
    if error == "access_denied":
        return service.refused(f"The log-in was refused at {called}.")
    said = "".join(letter for letter in error if letter.isalnum() or letter == "_") or "nothing"
    return BadGateway(ErrorCode.PROVIDER_FAILED, f"{called} sent no code, but said: {said}. Begin again.")


def _callback(settings: Settings, provider: str) -> str:
    return f"{settings.public_url}/sign-in/back/{provider}"


def _require_own_page(request: Request, settings: Settings) -> None:
    """Refuses a form that a page elsewhere sent: it would finish a log-in that its person never began."""
    if request.headers.get("origin") != settings.public_url:
        raise Forbidden(
            ErrorCode.SIGN_IN_REFUSED,
            f"This form was not sent from {settings.public_url}. Open the address that your terminal shows.",
        )


def _typed(body: bytes) -> str:
    try:
        fields = parse_qs(body.decode("ascii", errors="replace"), max_num_fields=4)
    except ValueError:
        return ""
    return fields.get("code", [""])[0][:100]


async def _unit(sessions: SessionFactory, work: Callable[[Session], _Answer]) -> _Answer:
    """A unit of work in a thread of its own; no connection is held while a provider is asked."""

    def done() -> _Answer:
        with unit_of_work(sessions) as session:
            return work(session)

    return await in_stream_thread(done)
