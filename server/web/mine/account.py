"""Pages about oneself: the profile, how one signs in, API tokens, and what is kept."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contract.accounts import Scope
from server.accounts.api import list_sessions
from server.accounts.service import account_of
from server.accounts.token_api import list_tokens
from server.deps import SessionDep, SettingsDep
from server.outbox.service import mail_is_set_up
from server.pages import looking_at, page
from server.sign_in.api import PartiesDep, list_identities
from server.teams.membership import teams_of
from server.web.looking import Reader, ReaderDep

router = APIRouter(include_in_schema=False)

_MEANS = {
    Scope.READ: "read all that you may read",
    Scope.SUBMIT: "change what a participant changes: teams, uploads, submissions",
    Scope.ORGANIZE: "decide in the challenges that you organize",
    Scope.ADMIN: "do what an admin does",
}
LASTS = (("30", "30 days"), ("90", "90 days"), ("365", "one year"), ("730", "two years"))
"""How long a token may last, as the page offers it."""


@router.get("/account", response_class=HTMLResponse)
def profile(request: Request, session: SessionDep, reader: ReaderDep, settings: SettingsDep) -> HTMLResponse:
    """Who one is here, and which teams one is in."""
    return page(
        request,
        "account/profile.html",
        account=account_of(session, reader.user),
        teams=teams_of(session, reader.user),
        mail=mail_is_set_up(settings),
    )


@router.get("/account/security", response_class=HTMLResponse)
def security(request: Request, session: SessionDep, reader: ReaderDep, parties: PartiesDep) -> HTMLResponse:
    """How one signs in, and where one is signed in."""
    account = account_of(session, reader.user)
    identities = list_identities(session, reader.user)
    return page(
        request,
        "account/security.html",
        account=account,
        sessions=list_sessions(session, reader.user),
        identities=identities,
        called={name: party.provider.called for name, party in parties.items()},
    )


@router.get("/account/tokens", response_class=HTMLResponse)
def api_tokens(request: Request, session: SessionDep, reader: ReaderDep) -> HTMLResponse:
    """What programs use instead of a password."""
    return page(
        request,
        "account/tokens.html",
        tokens=list_tokens(session, reader.user),
        scopes=_scopes(request, reader),
        lasts=LASTS,
    )


@router.get("/account/privacy", response_class=HTMLResponse)
def privacy(request: Request, session: SessionDep, reader: ReaderDep) -> HTMLResponse:
    """What is kept of oneself, and the way out."""
    return page(request, "account/privacy.html", teams=teams_of(session, reader.user))


def _scopes(request: Request, reader: Reader) -> list[tuple[str, str]]:
    """What a token of this person may be allowed, in words; what would allow nothing is not offered."""
    looking = looking_at(request)
    may = {Scope.SUBMIT: True, Scope.ORGANIZE: bool(looking.organizes), Scope.ADMIN: looking.is_admin}
    offered = {scope for scope, holds in may.items() if holds and scope in reader.user.scopes}
    return [(scope, _MEANS[scope]) for scope in Scope if scope in offered]
