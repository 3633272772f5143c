"""What is kept of what run workers have read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import TokenId
from server.database import Base


class WorkerRead(Base):
    """A case whose inputs, or an image whose layers, a run worker's token has downloaded: when, files and bytes.

    No foreign keys: what was read stays known where the token, the case or the image is gone.
    """

    __tablename__ = "worker_reads"

    worker_id: Mapped[TokenId] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)  # "case" or "image"
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    first_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_at: Mapped[datetime] = mapped_column(server_default=func.now())
    files: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)
