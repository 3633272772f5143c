"""The control room of a challenge: who is let in, what stands around its pages, and plans that pages show."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from contract.texts import Name
from server.accounts.principals import Observer, User
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.deps import SessionDep
from server.errors import BadRequest, Problem
from server.organizers.access import observer_of
from server.pages import page
from server.web.frame import organizer_frame
from server.web.looking import ReaderDep
from server.web.organize.drawings import moved
from server.words import words

Typed = Annotated[str, Query(max_length=500)]
"""What a form of a page sends in its address; empty where nothing was typed or chosen."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Room:
    """A challenge, as somebody looks at it who may see everything of it."""

    request: Request
    session: Session
    user: User
    observer: Observer
    challenge: Challenge

    @property
    def slug(self) -> str:
        """The challenge's name in addresses."""
        return self.challenge.slug

    @property
    def here(self) -> str:
        """Where the pages of this control room begin."""
        return f"/organize/{self.slug}"

    def page(self, template: str, /, *, status: int = 200, **content: Any) -> HTMLResponse:
        """The page `organize/<template>.html` in this challenge's frame."""
        return page(
            self.request,
            f"organize/{template}.html",
            status=status,
            frame=organizer_frame(self.challenge),
            challenge=self.challenge,
            slug=self.slug,
            spec=self.challenge.spec,
            here=self.here,
            api=f"/api/v1{self.here}",
            moved=moved,
            **content,
        )


def get_room(request: Request, session: SessionDep, reader: ReaderDep, slug: Name) -> Room:
    """The room, for whoever may see everything of the challenge.

    Raises:
        Unauthorized, NotFound, Forbidden: nobody is signed in, there is no such challenge, they have no role in it.
    """
    challenge = get_challenge(session, slug)
    observer = observer_of(session, reader.user, challenge)
    return Room(request, session, reader.user, observer, challenge)


RoomDep = Annotated[Room, Depends(get_room)]

REASON = "(the reason that you give below)"
"""What stands for a reason in a plan: reasons are sent with the act alone, for an address is kept in many places."""


@dataclass(frozen=True)
class Tried(Generic[_T]):
    """A plan that a page shows, or why there is none."""

    plan: _T | None = None
    refused: str | None = None
    status: int = 200


def tried(make: Callable[[], _T]) -> Tried[_T]:
    """The plan that `make` makes, or its refusal in words, which the page shows beside the form."""
    try:
        return Tried(make())
    except Problem as problem:
        return Tried(refused=problem.detail, status=problem.status)
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(str(part) for part in found["loc"]) or "the form"
        return Tried(refused=f"{field}: {words(found)}.", status=422)


def day_of(text: str) -> datetime | None:
    """The beginning of a day, or a time, as a page's form sends it, in UTC; None where it is empty.

    Raises:
        BadRequest: it is none.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(ErrorCode.INVALID_FORM, f"{text[:40]!r} is no date, as 2026-11-29 is.") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
