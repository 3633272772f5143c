"""Invitations: codes that let one person into a team once, until they run out or are taken back."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.agreements import Before
from contract.ids import InvitationId, TeamId
from contract.problems import ErrorCode
from contract.teams import LASTS_DAYS
from server import events
from server.accounts import tallies
from server.accounts.principals import User
from server.accounts.service import require_scope
from server.accounts.tallies import Bound
from server.agreements.service import require_accepted
from server.errors import Conflict, Gone, NotFound, NotNow
from server.teams.membership import join, lock_team, require_captain, require_member
from server.teams.models import Invitation, Team

OPEN_INVITATIONS = 20
NEW_INVITATIONS = Bound("invitations", 100, timedelta(days=1), by_anybody=False)
_ENDED_KEPT = timedelta(days=90)
_OPEN = (Invitation.used_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > func.now())


def invite(
    session: Session, user: User, team_id: TeamId, *, lasts_days: int = LASTS_DAYS
) -> tuple[str, Invitation]:
    """A one-use code for one more member, and its row.

    Raises:
        NotFound: somebody else's team.
        Forbidden: not the captain.
        Conflict: too many open invitations.
        NotNow: too many within a day.
    """
    require_scope(user, Scope.SUBMIT)
    require_member(session, user, team_id)
    lock_team(session, team_id)
    require_captain(session, user, team_id)
    if len(open_invitations(session, user, team_id)) >= OPEN_INVITATIONS:
        raise Conflict(
            ErrorCode.TOO_MANY_INVITATIONS,
            f"{OPEN_INVITATIONS} invitations are open. Revoke one, or let them be used or run out.",
        )
    wait = tallies.count(session, NEW_INVITATIONS, team_id)
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_INVITATIONS,
            tallies.later("This team has invited too often within a day.", wait),
            seconds=wait.total_seconds(),
        )
    _remove_ended(session, team_id)
    code = secrets.token_urlsafe(18)
    row = Invitation(
        team_id=team_id,
        made_by=user.id,
        code_hash=_hash(code),
        expires_at=func.now() + timedelta(days=lasts_days),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    events.record(session, "team", team_id, actor=user.actor, what="invited", why=f"invitation:{row.id}")
    return code, row


def open_invitations(session: Session, user: User, team_id: TeamId) -> Sequence[Invitation]:
    """Invitations that can still be accepted.

    Raises:
        NotFound: somebody else's team.
    """
    require_member(session, user, team_id)
    return session.scalars(
        select(Invitation).where(Invitation.team_id == team_id, *_OPEN).order_by(Invitation.id)
    ).all()


def revoke_invitation(session: Session, user: User, team_id: TeamId, invitation_id: InvitationId) -> None:
    """Takes an invitation back; a second time, or once it is used, does nothing.

    Raises:
        NotFound: somebody else's team, or no such invitation of it.
        Forbidden: not the captain.
    """
    require_captain(session, user, team_id)
    row = session.get(Invitation, invitation_id, with_for_update=True)
    if row is None or row.team_id != team_id:
        raise NotFound(
            ErrorCode.UNKNOWN_INVITATION, "This team has no such invitation. GET …/invitations lists them."
        )
    if row.used_at is None and row.revoked_at is None:
        row.revoked_at = func.now()
        events.record(
            session, "team", team_id, actor=user.actor, what="invitation revoked", why=f"invitation:{row.id}"
        )


def invited_to(session: Session, code: str) -> Team:
    """The team that whoever shows this code may join.

    Raises:
        NotFound: no such code.
        Gone: used, revoked or out of date.
    """
    team_id = _team_of(session, code)
    if not session.scalar(select(Invitation.id).where(Invitation.code_hash == _hash(code), *_OPEN)):
        raise _over()
    return session.get_one(Team, team_id)


def accept_invitation(session: Session, user: User, code: str) -> Team:
    """Joins the team whose code this is.

    Raises:
        NotFound: no such code.
        Forbidden: a document that is needed for it is not accepted.
        Gone: used, revoked or out of date.
        Conflict: the team is full, or the user has a team in this challenge.
    """
    require_scope(user, Scope.SUBMIT)
    team_id = _team_of(session, code)
    require_accepted(session, user, session.get_one(Team, team_id).challenge_id, before=Before.TEAM)
    lock_team(session, team_id)  # before the invitation, as those do who leave
    invitation, team = session.execute(
        select(Invitation, Team)
        .join(Team, Team.id == Invitation.team_id)
        .where(Invitation.code_hash == _hash(code))
        .with_for_update(of=Invitation)
    ).one()
    if not session.scalar(select(Invitation.id).where(Invitation.id == invitation.id, *_OPEN)):
        raise _over()
    join(session, user, team)
    invitation.used_at = func.now()
    events.record(
        session, "team", team.id, actor=user.actor, what="joined", why=f"invitation:{invitation.id}"
    )
    return team


def _team_of(session: Session, code: str) -> TeamId:
    team_id = session.scalar(select(Invitation.team_id).where(Invitation.code_hash == _hash(code)))
    if team_id is None:
        raise NotFound(
            ErrorCode.UNKNOWN_INVITATION, "There is no such invitation. Check that the code was copied whole."
        )
    return team_id


def _over() -> Gone:
    return Gone(
        ErrorCode.INVITATION_OVER,
        "This invitation was used or taken back, or has run out. Ask the team's captain for a new one.",
    )


def _remove_ended(session: Session, team_id: TeamId) -> None:
    """Removes invitations that ended long ago; the event log keeps that they were."""
    old = func.now() - _ENDED_KEPT
    ended = or_(Invitation.used_at < old, Invitation.revoked_at < old, Invitation.expires_at < old)
    session.execute(delete(Invitation).where(Invitation.team_id == team_id, ended))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode(errors="replace")).hexdigest()
