"""Teams of a challenge, who is in them, and invitations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from server.database import Base, Created, Identified


class Team(Identified, Created, Base):
    """A team; `name_key` is the name as it is compared: folded, spaces joined.

    `disqualified`: why it takes part no more, null if it does.
    """

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("challenge_id", "name_key"),)

    challenge_id: Mapped[UUID] = mapped_column(ForeignKey("challenges.id"))
    name: Mapped[str]
    name_key: Mapped[str]
    eligible: Mapped[bool] = mapped_column(default=True, server_default=true())
    disclaimer: Mapped[str | None]
    disqualified: Mapped[str | None] = mapped_column(default=None)
    is_baseline: Mapped[bool] = mapped_column(default=False, server_default=false())


class Membership(Created, Base):
    """A person in a team; one team per person and challenge."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("user_id", "challenge_id"),)

    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    challenge_id: Mapped[UUID] = mapped_column(ForeignKey("challenges.id"))
    is_captain: Mapped[bool] = mapped_column(default=False, server_default=false())


class Invitation(Identified, Created, Base):
    """A code that lets one person in once; only its sha256 is kept."""

    __tablename__ = "invitations"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
