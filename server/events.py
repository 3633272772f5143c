"""The event log: who changed what, when and why. Append-only; ids only, never case names or container text."""

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.database import Base, Created, Identified


class Event(Identified, Created, Base):
    """One change of one thing."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "subject", "subject_id"),)

    subject: Mapped[str]
    subject_id: Mapped[UUID]
    actor: Mapped[str]
    what: Mapped[str]
    why: Mapped[str | None] = mapped_column(default=None)


def record(
    session: Session, subject: str, subject_id: UUID, *, actor: str, what: str, why: str | None = None
) -> None:
    """Appends an event; it lasts if the unit of work does."""
    session.add(Event(subject=subject, subject_id=subject_id, actor=actor, what=what, why=why))
