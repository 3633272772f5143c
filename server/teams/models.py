"""Teams of a challenge, who is in them, and invitations."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import ChallengeId, InvitationId, TeamId, UserId
from server.database import Base, Created, identity


class Team(Created, Base):
    """A team; `name_key` is the name as it is looked up: folded, spaces joined.

    `skeleton`: what the name looks like (`server.names`); null for one of several alike that are older than this rule.
    `disqualified`: why it takes part no more, null if it does. `hidden`: it is on no board, which are ranked as without
    it. `waits`: it takes no part until an organizer approves it. `merged_into`: the team that has had all of it since.
    """

    __tablename__ = "teams"
    __table_args__ = (
        UniqueConstraint("challenge_id", "name_key"),
        UniqueConstraint("challenge_id", "skeleton"),
    )

    id: Mapped[TeamId] = identity()
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    name: Mapped[str]
    name_key: Mapped[str]
    skeleton: Mapped[str | None]
    eligible: Mapped[bool] = mapped_column(default=True, server_default=true())
    disclaimer: Mapped[str | None]
    disqualified: Mapped[str | None] = mapped_column(default=None)
    is_baseline: Mapped[bool] = mapped_column(default=False, server_default=false())
    hidden: Mapped[bool] = mapped_column(default=False, server_default=false())
    waits: Mapped[bool] = mapped_column(default=False, server_default=false())
    merged_into: Mapped[TeamId | None] = mapped_column(ForeignKey("teams.id"), default=None)


class Membership(Created, Base):
    """A person in a team; one team per person and challenge."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("user_id", "challenge_id"),)

    team_id: Mapped[TeamId] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    is_captain: Mapped[bool] = mapped_column(default=False, server_default=false())


class Invitation(Created, Base):
    """A code that lets one person in once; only its sha256 is kept.

    It ends when it is used, revoked, or out of date, and when whoever made it may invite no more.
    """

    __tablename__ = "invitations"

    id: Mapped[InvitationId] = identity()
    team_id: Mapped[TeamId] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(unique=True)
    made_by: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
