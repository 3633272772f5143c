"""A person's browser on its way to a provider and back: a page to type what the terminal shows, and where it returns.

Who began a log-in is not yet who finishes it: somebody may send its address to another. So that person reads which
machine asks, and types what its terminal shows; and only the browser in which that was done may come back.
"""

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from contract.problems import ErrorCode
from contract.texts import Line
from server.browser.cookies import own_browser
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.errors import BadGateway, Forbidden, Problem
from server.pages import page
from server.settings import Settings
from server.sign_in import here, service
from server.sign_in.api import PartiesDep
from server.sign_in.leaving import COOKIE, callback, leave_for, party_of, told, unit

router = APIRouter(include_in_schema=False)

_Key = Annotated[str, Line(100)]


@router.get("/sign-in/{key}", response_class=HTMLResponse)
def ask_for_code(request: Request, key: _Key, session: SessionDep, parties: PartiesDep) -> HTMLResponse:
    """Says who asks for the log-in, and asks for what the terminal shows."""
    row = service.waiting(session, key)
    title = party_of(parties, row.provider).provider.called
    return page(request, "sign_in.html", title=title, asked_by=row.asked_by, links=row.user_id)


@router.post("/sign-in/{key}", response_class=HTMLResponse)
async def go_on(
    request: Request, key: _Key, sessions: SessionsDep, parties: PartiesDep, settings: SettingsDep
) -> HTMLResponse:
    """Sends the browser to the provider, once its person typed what the terminal shows."""
    _require_own_page(request, settings)
    typed = _typed(await request.body())
    row = await unit(sessions, lambda session: service.waiting(session, key))
    party = party_of(parties, row.provider)
    leaving = await unit(sessions, lambda session: service.leave(session, key, typed))
    if leaving is None:
        raise Forbidden(
            ErrorCode.WRONG_SIGN_IN_CODE,
            "This is not what the terminal shows. Go back and type it again; after five tries the log-in is over.",
        )
    return await leave_for(request, sessions, settings, party, leaving, sign_in=row.id, provider=row.provider)


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
) -> Response:
    """Takes the browser back from the provider, and asks the provider who its person is."""
    party = party_of(parties, provider)
    browser = own_browser(request.scope)
    secret = browser.kept(COOKIE)
    row = await unit(
        sessions, lambda session: service.returning(session, provider, state=state, browser=secret)
    )
    async with told(sessions, row.id):
        if error or not code:
            raise _not_given(party.provider.called, error)
        claimed = await party.claimed(
            code=code,
            redirect_uri=callback(settings, provider),
            nonce=row.nonce,
            verifier=row.verifier,
            issuer=iss,
        )
    refused = await unit(sessions, lambda session: service.conclude(session, row.id, claimed))
    if refused is not None:
        raise service.refused(refused)
    if (begun := here.begun_by(request, row)) is not None:
        return await here.finish(request, sessions, settings, begun)
    answer = page(request, "sign_in_done.html", title=party.provider.called)
    browser.forget(answer, COOKIE)
    return answer


def _not_given(called: str, error: str) -> Problem:
    if error == "access_denied":
        return service.refused(f"The log-in was refused at {called}.")
    said = "".join(letter for letter in error if letter.isalnum() or letter == "_") or "nothing"
    return BadGateway(ErrorCode.PROVIDER_FAILED, f"{called} sent no code, but said: {said}. Begin again.")


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
