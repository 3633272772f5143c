"""Pages where a session begins: signing in, registering, and a new password."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from server.deps import SettingsDep
from server.forms.form import is_local
from server.outbox.service import mail_is_set_up
from server.pages import page
from server.sign_in.relying import RelyingParty

router = APIRouter(include_in_schema=False)

_Then = Annotated[str, Query(max_length=2_000)]


@router.get("/sign-in", response_class=HTMLResponse)
async def sign_in(request: Request, then: _Then = "/") -> HTMLResponse:
    """A form to sign in, which goes on to the page that was asked for, and the providers that vouch for people."""
    return page(
        request, "account/sign_in.html", then=then if is_local(then) else "/", providers=_providers(request)
    )


@router.get("/register", response_class=HTMLResponse)
async def register(request: Request, then: _Then = "/") -> HTMLResponse:
    """A form to register, which signs in as well."""
    return page(
        request, "account/register.html", then=then if is_local(then) else "/", providers=_providers(request)
    )


@router.get("/reset", response_class=HTMLResponse)
async def reset(request: Request, settings: SettingsDep) -> HTMLResponse:
    """Two steps to a new password: a code by mail or from an admin, and the password."""
    return page(request, "account/reset.html", mail=mail_is_set_up(settings))


def _providers(request: Request) -> list[tuple[str, str]]:
    """Providers by whom people sign in, and what they are called."""
    parties: dict[str, RelyingParty] = request.app.state.parties
    return [(name, party.provider.called) for name, party in parties.items()]
