"""The chain over the event log."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from server.database import Base


class Link(Base):
    """The event that is number `seq` in the order of sealing, from 1 on without gaps, and the hash up to it.

    No foreign key: to check it would write to every event. `sealed_at`: when the pass that sealed it began.
    """

    __tablename__ = "audit_links"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    sealed_at: Mapped[datetime]
    hash: Mapped[bytes]
