"""Changes of status: along a table of moves only, and each with its event.

The claim alone makes its moves in SQL (`server/queue/claim.sql`), and a test holds it against the same tables. No
trigger writes these events: who acts and why is known here, and telling it to the database would cost each unit of work
a message more.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from server.events import Event

Status = TypeVar("Status", bound=StrEnum)
Moves = Mapping[Status, Collection[Status]]


class IllegalMove(Exception):
    """A move that the table of moves does not hold: a defect of ours, never a user's."""


def require_legal(moves: Moves[Status], old: Status, new: Status, what: str) -> None:
    """Raises IllegalMove, which names `what`, where `moves` does not hold the move from `old` to `new`."""
    if new not in moves[old]:
        raise IllegalMove(f"{what}: {old} → {new}")


def begin(
    session: Session, subject: str, subject_id: UUID, status: StrEnum, *, actor: str, why: str | None = None
) -> None:
    """Records that something is there from now on, and where it stands."""
    session.add(Event(subject=subject, subject_id=subject_id, new=status, actor=actor, why=why))


def move(
    session: Session,
    subject: str,
    subject_id: UUID,
    moves: Moves[Status],
    old: Status,
    new: Status,
    *,
    actor: str,
    code: str | None = None,
    claim_no: int | None = None,
    why: str | None = None,
) -> Status:
    """The new status, which the caller gives its row; the event of it is recorded.

    Raises:
        IllegalMove: `moves` does not hold it.
    """
    require_legal(moves, old, new, f"{subject} {subject_id}")
    session.add(
        Event(
            subject=subject,
            subject_id=subject_id,
            old=old,
            new=new,
            code=code,
            claim_no=claim_no,
            actor=actor,
            why=why,
        )
    )
    return new
