"""People and what an admin decides about them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contract.ids import UserId
from contract.privacy import HowErased
from contract.problems import ErrorCode
from contract.texts import Line
from server.accounts.models import Account
from server.admin import people
from server.deps import SessionDep
from server.errors import NotFound
from server.pages import page
from server.privacy import erasing
from server.web.frame import ADMIN_RAIL
from server.web.looking import AdministratorDep
from server.web.queries import address, given
from server.web.tried import tried

router = APIRouter(include_in_schema=False)


@router.get("/admin/people", response_class=HTMLResponse)
def list_people(
    request: Request,
    session: SessionDep,
    reader: AdministratorDep,
    find: Annotated[str, Line(200)] = "",
    after: UUID | None = None,
) -> HTMLResponse:
    """People in the order they came."""
    return page(
        request,
        "admin/people.html",
        rail=ADMIN_RAIL,
        found=people.people(session, find=given(find), after=after, limit=50),
        find=find,
        base=address("/admin/people", {"find": find}),
        after=after,
    )


@router.get("/admin/people/{user_id}", response_class=HTMLResponse)
def show_person(
    request: Request, session: SessionDep, reader: AdministratorDep, user_id: UserId
) -> HTMLResponse:
    """A person, and what can be done: roles, access, closing, erasing."""
    account = session.get(Account, user_id)
    if account is None:
        raise NotFound(
            ErrorCode.UNKNOWN_ACCOUNT, "There is no such account. The list of people has all of them."
        )
    is_self = account.id == reader.user.id
    erasure = tried(lambda: None if is_self else erasing.plan(session, user_id, HowErased()))
    return page(
        request,
        "admin/person.html",
        rail=ADMIN_RAIL,
        person=people.person(session, account),
        is_self=is_self,
        verified_at=account.verified_at,
        erasure=erasure.plan,
        refused=erasure.refused,
    )
