"""The control room of a challenge: who is let in, what stands around its pages."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from contract.texts import Name
from server.accounts.principals import Observer, User
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.deps import SessionDep
from server.organizers.access import observer_of
from server.pages import looking_at, page
from server.web.frame import organizer_frame
from server.web.looking import ReaderDep
from server.web.organize.drawings import moved
from server.web.titles import Titles

Typed = Annotated[str, Query(max_length=500)]
"""What a form of a page sends in its address; empty where nothing was typed or chosen."""


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
            frame=organizer_frame(self.challenge, decides=looking_at(self.request).decides(self.slug)),
            challenge=self.challenge,
            slug=self.slug,
            spec=self.challenge.spec,
            titles=Titles(self.challenge.spec),
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
