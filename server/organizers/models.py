"""Roles in challenges."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import ChallengeId, UserId
from contract.organizers import Role
from server.database import Base, Created


class ChallengeRole(Created, Base):
    """What a person may do in a challenge; one role at most. `named_by`: the actor, as events name it."""

    __tablename__ = "challenge_roles"

    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"), primary_key=True)
    user_id: Mapped[UserId] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[Role]
    named_by: Mapped[str]
