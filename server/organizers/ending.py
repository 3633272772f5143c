"""The end of roles in challenges."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import UserId
from server import events
from server.organizers.models import ChallengeRole


def end(session: Session, role: ChallengeRole, *, actor: str) -> None:
    """Takes a role away from whoever has it."""
    session.delete(role)
    events.record(
        session,
        "challenge",
        role.challenge_id,
        actor=actor,
        what=f"{role.role} no more",
        why=f"user:{role.user_id}",
    )


def end_all(session: Session, user_id: UserId, *, actor: str) -> None:
    """Takes all roles away from a person."""
    for role in session.scalars(select(ChallengeRole).where(ChallengeRole.user_id == user_id)):
        end(session, role, actor=actor)
