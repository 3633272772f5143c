"""The event log as admins look into it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.admin import Page
from contract.events import EventOut, Subject
from server.admin.pages import page_of
from server.events import Event
from server.ids import first_id, ids_between

_APART = timedelta(hours=1)
"""By so much the clocks that make ids may differ from the database's."""


@dataclass(frozen=True)
class Asked:
    """Which events are meant; what is left out asks for nothing. `id` is the beginning of the subject's."""

    subject: Subject | None = None
    id: str | None = None
    actor: str | None = None
    new: str | None = None
    code: str | None = None
    since: datetime | None = None


def events(session: Session, asked: Asked, *, after: UUID | None = None, limit: int = 50) -> Page[EventOut]:
    """The events that are meant, newest first.

    Raises:
        BadRequest: the id is no beginning of one.
    """
    query = select(Event)
    for column, value in (
        (Event.subject, asked.subject),
        (Event.actor, asked.actor),
        (Event.new, asked.new),
        (Event.code, asked.code),
    ):
        query = query if value is None else query.where(column == value)
    if asked.id is not None:
        query = query.where(Event.subject_id.between(*ids_between(asked.id)))
    if asked.since is not None:  # ids tell the time, and they have an index
        query = query.where(
            Event.created_at >= asked.since, Event.id >= first_id(asked.since, earlier=_APART)
        )
    rows, following = page_of(session, query, Event.id, after=after, limit=limit, newest_first=True)
    return Page(items=[EventOut.model_validate(row) for row in rows], next=following)
