"""Certificates of what was deleted."""

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import ChallengeId
from server.database import Base, Created, Identified


class DeletionCertificate(Identified, Created, Base):
    """What was deleted of a challenge; `blobs` are still to be removed, and `signature` is null until they are."""

    __tablename__ = "deletion_certificates"

    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"), index=True)
    statement: Mapped[dict[str, Any]]
    blobs: Mapped[list[str]] = mapped_column(default=list)
    signature: Mapped[str | None] = mapped_column(default=None)
