"""Who looks at a page. A session that has ended is nobody's: public pages show themselves all the same."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from contract.organizers import Role
from contract.problems import ErrorCode
from server.accounts.deps import TokenDep, get_user
from server.accounts.principals import Admin, User
from server.deps import SessionDep
from server.errors import Forbidden, Unauthorized
from server.notices.service import unread
from server.pages import Looking, note_looking
from server.roles.service import roles_of


@dataclass(frozen=True)
class Visitor:
    """Whoever asks for a page: a person, or nobody in particular."""

    user: User | None


@dataclass(frozen=True)
class Reader(Visitor):
    """A person who is signed in."""

    user: User


@dataclass(frozen=True)
class Administrator(Reader):
    """An admin who is signed in."""

    user: Admin


def get_visitor(request: Request, session: SessionDep, token: TokenDep) -> Visitor:
    """Whoever looks at a page that anybody may see."""
    try:
        return Visitor(None) if token is None else _reader(request, session, token)
    except Unauthorized:
        return Visitor(None)


def get_reader(request: Request, session: SessionDep, token: TokenDep) -> Reader:
    """Whoever looks at a page for people who are signed in.

    Raises:
        Unauthorized: nobody is; a browser is sent to sign in.
    """
    return _reader(request, session, token)


def get_administrator(request: Request, session: SessionDep, token: TokenDep) -> Administrator:
    """Whoever looks at a page for admins.

    Raises:
        Unauthorized: nobody is signed in; a browser is sent to sign in.
        Forbidden: this person is no admin.
    """
    user = _reader(request, session, token).user
    if not isinstance(user, Admin):
        raise Forbidden(
            ErrorCode.ADMINS_ONLY,
            "Only admins of this installation may see this page. Whoever runs it makes you one.",
        )
    return Administrator(user)


def _reader(request: Request, session: Session, token: str | None) -> Reader:
    user = get_user(request, session, token)
    looking = Looking(
        name=user.name,
        is_admin=isinstance(user, Admin),
        organizes=[(slug, role is Role.ORGANIZER) for slug, role in roles_of(session, user)],
        unread=unread(session, user),
    )
    note_looking(request, looking)
    return Reader(user)


VisitorDep = Annotated[Visitor, Depends(get_visitor)]
ReaderDep = Annotated[Reader, Depends(get_reader)]
AdministratorDep = Annotated[Administrator, Depends(get_administrator)]
