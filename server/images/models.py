"""Images that passed the check."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import ImageId, TeamId, UploadId
from contract.images import ImageFacts
from server.database import Base, Created, JsonOf, identity


class Image(Created, Base):
    """A team's image: `digest` is its config's, `facts` what the check found, `size` its layers' bytes.

    `removed_at`: since then its team has it no more, its blobs may go, and the row stays for what once ran it.
    """

    __tablename__ = "images"
    __table_args__ = (UniqueConstraint("team_id", "digest"),)

    id: Mapped[ImageId] = identity()
    team_id: Mapped[TeamId] = mapped_column(ForeignKey("teams.id"))
    upload_id: Mapped[UploadId | None] = mapped_column(ForeignKey("uploads.id", ondelete="SET NULL"))
    digest: Mapped[str]
    facts: Mapped[ImageFacts] = mapped_column(JsonOf(ImageFacts))
    size: Mapped[int] = mapped_column(BigInteger)
    removed_at: Mapped[datetime | None] = mapped_column(default=None)
