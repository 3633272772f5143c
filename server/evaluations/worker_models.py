"""What is kept of run workers beside what their slots offer: how these behave, and what their tokens have read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from server.database import Base


class Conduct:
    """Mixin of a slot: what came of the cases it was leased, and until when it is leased no other.

    A case is handed back (the worker stops), faulted (it names a fault of the platform) or abandoned (its lease ran
    out). `strikes` grow with each of these and shrink with each case that is finished.
    """

    finished: Mapped[int] = mapped_column(default=0, server_default="0")
    handed_back: Mapped[int] = mapped_column(default=0, server_default="0")
    abandoned: Mapped[int] = mapped_column(default=0, server_default="0")
    faulted: Mapped[int] = mapped_column(default=0, server_default="0")
    strikes: Mapped[int] = mapped_column(default=0, server_default="0")
    struck_at: Mapped[datetime | None] = mapped_column(default=None)
    # When it last made an entry in the event log.
    told_at: Mapped[datetime | None] = mapped_column(default=None)
    paused_until: Mapped[datetime | None] = mapped_column(default=None)


class WorkerRead(Base):
    """A case whose inputs, or an image whose layers, a run worker's token has downloaded: when, files and bytes.

    No foreign keys: what was read stays known where the token, the case or the image is gone.
    """

    __tablename__ = "worker_reads"

    worker_id: Mapped[UUID] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)  # "case" or "image"
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    first_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_at: Mapped[datetime] = mapped_column(server_default=func.now())
    files: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)
