"""Who looked at what is hidden: at single cases, their labels and scores, or what containers wrote of them."""

from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, insert, literal, select
from sqlalchemy.orm import Session

from contract.events import VIEWED, Subject
from contract.problems import ErrorCode
from server import requests
from server.errors import Forbidden
from server.events import Event
from server.ids import new_id

_ONCE = timedelta(hours=1)
"""Looking at the same thing again within this time is no other look, so that reloads do not fill the log."""


class Look(StrEnum):
    """What of a thing was looked at: the code of the event."""

    CASES = "cases"
    """An evaluation's cases by pseudonym, with verdicts and the ends of logs, or its scores."""
    LOG = "log"
    """All that a container wrote of one case."""
    NAMES = "names"
    """The real names of cases."""
    LABELS = "labels"
    """Checks of the references of a challenge, which name cases and labels."""
    RECEIPT = "receipt"
    """The times of single cases."""


def looked(session: Session, subject: Subject, subject_id: UUID, look: Look, *, actor: str) -> None:
    """Records that `actor` looks at it, once an hour.

    In the unit of work that reads it, which is committed before its answer leaves: what cannot be recorded is not seen.

    Raises:
        Forbidden: another site led here, so it may not be this person who wants to look.
    """
    require_meant()
    before = (
        select(Event.id)
        .where(
            Event.subject == subject,
            Event.subject_id == subject_id,
            Event.actor == actor,
            Event.what == VIEWED,
            Event.code == look,
            Event.created_at > func.clock_timestamp() - _ONCE,
        )
        .exists()
    )
    values = {
        Event.id: new_id(),
        Event.subject: subject.value,
        Event.subject_id: subject_id,
        Event.actor: actor,
        Event.what: VIEWED,
        Event.code: look.value,
    }
    row = select(*(literal(value, column.type) for column, value in values.items())).where(~before)
    session.execute(insert(Event).from_select(list(values), row, include_defaults=False))


def require_meant() -> None:
    """Lets no other site's link or window write into the log, under a person's name, that they looked.

    A page for people asks them to open it once more, from here.

    Raises:
        Forbidden: another site led here.
    """
    if requests.is_from_elsewhere():
        raise Forbidden(
            ErrorCode.LINK_FROM_ELSEWHERE,
            "Another site led here, and that you see what is hidden here is written into the log under your name. "
            "Open it from this page if you mean to.",
        )
