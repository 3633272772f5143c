"""Pages about oneself."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from server.accounts.service import account_of
from server.deps import SessionDep
from server.pages import page
from server.web.looking import ReaderDep

router = APIRouter(include_in_schema=False)


@router.get("/account", response_class=HTMLResponse)
def profile(request: Request, session: SessionDep, reader: ReaderDep) -> HTMLResponse:
    """Who one is here."""
    return page(request, "account/profile.html", account=account_of(session, reader.user))
