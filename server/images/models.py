"""Images that passed the check."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.database import Base, Created, Identified


class Image(Identified, Created, Base):
    """A team's image: `digest` is its config's, `facts` what the check found, `size` its layers' bytes."""

    __tablename__ = "images"
    __table_args__ = (UniqueConstraint("team_id", "digest"),)

    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id"))
    upload_id: Mapped[UUID | None] = mapped_column(ForeignKey("uploads.id", ondelete="SET NULL"))
    digest: Mapped[str]
    facts: Mapped[dict[str, Any]]
    size: Mapped[int] = mapped_column(BigInteger)
