"""The event log: who changed what, when and why. Append-only; ids only, never case names or container text."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, func
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.database import Base, Identified

PLATFORM = "platform"
"""Who acts where no person and no run worker does: the server, its score workers and its clock."""


class Event(Identified, Base):
    """One change of one thing: of its status from `old` to `new`, or what `what` says.

    `old` is null where a thing begins. `code`: what came of it or why it ended, from a closed list; `claim_no`: the
    claim of a case run that changed it; `why`: a sentence. `created_at`: when it was written, which its transaction may
    have begun long before.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "subject", "subject_id"),
        CheckConstraint("what IS NOT NULL OR new IS NOT NULL", name="says_something"),
    )

    subject: Mapped[str]
    subject_id: Mapped[UUID]
    old: Mapped[str | None] = mapped_column(default=None)
    new: Mapped[str | None] = mapped_column(default=None)
    code: Mapped[str | None] = mapped_column(default=None)
    claim_no: Mapped[int | None] = mapped_column(default=None)
    actor: Mapped[str]
    what: Mapped[str | None] = mapped_column(default=None)
    why: Mapped[str | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def record(
    session: Session, subject: str, subject_id: UUID, *, actor: str, what: str, why: str | None = None
) -> None:
    """Appends an event of anything but a status, which `server.moves` changes; it lasts if the unit of work does."""
    session.add(Event(subject=subject, subject_id=subject_id, actor=actor, what=what, why=why))
