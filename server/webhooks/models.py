"""Where webhooks go."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import ChallengeId, EndpointId, TeamId, UserId
from server.database import Base, Created, identity


class Endpoint(Created, Base):
    """An address that is told what a team, the organizers of a challenge, or else the admins are told.

    `made_by`: nobody is told any more once they are neither in the team nor organize; null of the operator.
    `kinds`: of notices, none for all. `secret` signs what is sent; until `old_secret_until` the one before does, too.
    `failing_since`: nothing was taken since; `disabled_why`: nothing is sent any more, and why.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (CheckConstraint("team_id IS NULL OR challenge_id IS NULL", name="of_one"),)

    id: Mapped[EndpointId] = identity()
    team_id: Mapped[TeamId | None] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    challenge_id: Mapped[ChallengeId | None] = mapped_column(ForeignKey("challenges.id"), index=True)
    made_by: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    url: Mapped[str]
    kinds: Mapped[list[str]]
    secret: Mapped[str]
    old_secret: Mapped[str | None]
    old_secret_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None]
