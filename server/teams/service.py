"""Teams: who plays together, and who may see whose things."""

import hashlib
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server import events
from server.accounts.models import Account
from server.accounts.principals import Admin, Scope, User
from server.accounts.service import require_scope
from server.errors import Conflict, Forbidden, Gone, NotFound, Unprocessable
from server.teams.models import Invitation, Membership, Team

INVITATION_LASTS = timedelta(days=14)
_OPEN_INVITATIONS = 20
_PUNCTUATION = frozenset(" .,_&'()+-")


def create_team(session: Session, user: User, challenge_id: UUID, *, name: str) -> Team:
    """A new team with `user` as its captain.

    Raises:
        Unprocessable: the name breaks the rules.
        Conflict: the name is taken, or the user has a team in this challenge.
    """
    require_scope(user, Scope.SUBMIT)
    name = team_name(name)
    if find_team(session, user, challenge_id) is not None:
        raise _has_team()
    team: Team | None = session.scalar(
        insert(Team)
        .values(challenge_id=challenge_id, name=name, name_key=name_key(name))
        .on_conflict_do_nothing(index_elements=["challenge_id", "name_key"])
        .returning(Team)
    )
    if team is None:
        raise Conflict("team_name_taken", "Another team of this challenge has this name. Choose another one.")
    _join(session, user, team, is_captain=True)
    events.record(session, "team", team.id, actor=user.actor, what="created")
    return team


def team_name(name: str) -> str:
    """The name as it is shown: Unicode in composed form, single spaces.

    Raises:
        Unprocessable: not 2 to 40 characters, or characters that may not be there.
    """
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    # The first character's rule keeps a spreadsheet from taking a board's row for a formula.
    well_formed = name[:1].isalnum() and all(_is_letter_or_digit(one) or one in _PUNCTUATION for one in name)
    if not (2 <= len(name) <= 40 and well_formed):
        raise Unprocessable(
            "bad_team_name",
            "A team's name has 2 to 40 characters: letters, digits, spaces and . , _ & ' ( ) + -, "
            "and begins with a letter or digit.",
        )
    return name


def find_team(session: Session, user: User, challenge_id: UUID) -> Team | None:
    """The user's team in a challenge, or None."""
    return session.scalar(
        select(Team).join(Membership).where(Membership.user_id == user.id, Team.challenge_id == challenge_id)
    )


def team_of(session: Session, user: User, challenge_id: UUID) -> Team:
    """The user's team in a challenge.

    Raises:
        NotFound: there is none.
    """
    team = find_team(session, user, challenge_id)
    if team is None:
        raise NotFound("no_team", "You have no team in this challenge. Create one, or accept an invitation.")
    return team


def require_member(session: Session, user: User, team_id: UUID) -> Team:
    """The team, if the user is in it or acts as an admin.

    Raises:
        NotFound: no such team, or somebody else's; the two look the same.
    """
    team = session.get(Team, team_id)
    if team is None or not (user.acts_as_admin or is_member(session, user, team_id)):
        raise _unknown_team()
    return team


def is_member(session: Session, user: User, team_id: UUID) -> bool:
    """Whether the user is in the team."""
    return session.get(Membership, (team_id, user.id)) is not None


def choose_team(session: Session, user: User, challenge_id: UUID, *, named: str | None = None) -> Team:
    """The team of this challenge that is meant: by id or name, or the user's own where none is named.

    Raises:
        NotFound: no such team of this challenge that the user may act for.
    """
    if named is None:
        return team_of(session, user, challenge_id)
    same = Team.id == UUID(named) if _is_uuid(named) else Team.name_key == name_key(named)
    team = session.scalar(select(Team).where(Team.challenge_id == challenge_id, same))
    if team is None:
        raise _unknown_team()
    return require_member(session, user, team.id)


def members(session: Session, team: Team) -> Sequence[tuple[Membership, Account]]:
    """Who is in a team, in the order they came."""
    rows = session.execute(
        select(Membership, Account)
        .join(Account, Account.id == Membership.user_id)
        .where(Membership.team_id == team.id)
        .order_by(Membership.created_at, Membership.user_id)
    ).all()
    return [(membership, account) for membership, account in rows]


def invite(session: Session, user: User, team_id: UUID) -> tuple[str, Invitation]:
    """A one-use code for one more member, and its row.

    Raises:
        NotFound: somebody else's team.
        Forbidden: not the captain.
        Conflict: too many open invitations.
    """
    _require_captain(session, user, team_id)
    if len(open_invitations(session, user, team_id)) >= _OPEN_INVITATIONS:
        raise Conflict(
            "too_many_invitations",
            f"{_OPEN_INVITATIONS} invitations are open. Use them, or let them run out.",
        )
    code = secrets.token_urlsafe(18)
    row = Invitation(team_id=team_id, code_hash=_hash(code), expires_at=func.now() + INVITATION_LASTS)
    session.add(row)
    session.flush()
    session.refresh(row)
    events.record(session, "team", team_id, actor=user.actor, what="invited")
    return code, row


def open_invitations(session: Session, user: User, team_id: UUID) -> Sequence[Invitation]:
    """Invitations that can still be accepted.

    Raises:
        NotFound: somebody else's team.
    """
    require_member(session, user, team_id)
    return session.scalars(
        select(Invitation)
        .where(
            Invitation.team_id == team_id, Invitation.used_at.is_(None), Invitation.expires_at > func.now()
        )
        .order_by(Invitation.id)
    ).all()


def accept_invitation(session: Session, user: User, code: str) -> Team:
    """Joins the team whose code this is.

    Raises:
        NotFound: no such code.
        Gone: used, or older than 14 days.
        Conflict: the user has a team in this challenge.
    """
    require_scope(user, Scope.SUBMIT)
    found = session.execute(
        select(Invitation, Team, Invitation.expires_at <= func.now())
        .join(Team, Team.id == Invitation.team_id)
        .where(Invitation.code_hash == _hash(code))
        .with_for_update(of=Invitation)
    ).one_or_none()
    if found is None:
        raise NotFound(
            "unknown_invitation", "There is no such invitation. Check that the code was copied whole."
        )
    invitation, team, expired = found
    if invitation.used_at is not None or expired:
        raise Gone(
            "invitation_over",
            "This invitation was used or has run out. Ask the team's captain for a new one.",
        )
    _join(session, user, team, is_captain=False)
    invitation.used_at = func.now()
    events.record(session, "team", team.id, actor=user.actor, what="joined")
    return team


def remove_member(session: Session, user: User, team_id: UUID, member_id: UUID) -> None:
    """Takes a member out: oneself, or anybody if one is the captain or an admin.

    A captain who leaves hands over to whoever has been in the team longest.

    Raises:
        NotFound: somebody else's team, or no such member.
        Forbidden: another member, without being the captain.
        Conflict: nobody would be left, and the team's attempts with nobody.
    """
    require_scope(user, Scope.SUBMIT)
    team = require_member(session, user, team_id)
    if member_id != user.id:
        _require_captain(session, user, team_id)
    session.scalar(select(Team.id).where(Team.id == team_id).with_for_update())
    remaining = [membership for membership, _ in members(session, team)]
    leaving = next((one for one in remaining if one.user_id == member_id), None)
    if leaving is None:
        raise NotFound("unknown_member", "There is no such member in this team.")
    if len(remaining) == 1:
        raise Conflict(
            "last_member", "A team keeps at least one member. Invite somebody first, or ask the organizers."
        )
    remaining.remove(leaving)
    session.delete(leaving)
    if leaving.is_captain:
        remaining[0].is_captain = True
    events.record(session, "team", team_id, actor=user.actor, what="member left", why=f"user:{member_id}")


def set_standing(session: Session, admin: Admin, team_id: UUID, *, changes: Mapping[str, Any]) -> Team:
    """Changes what an admin decides about a team: `eligible`, `disclaimer`, `is_baseline`, `disqualified`.

    Raises:
        NotFound: no such team.
    """
    team = require_member(session, admin, team_id)
    for field, value in changes.items():
        setattr(team, field, value)
    session.flush()
    events.record(
        session, "team", team.id, actor=admin.actor, what="standing changed", why=str(dict(changes))
    )
    return team


def require_part(team: Team) -> None:
    """Raises unless the team takes part.

    Raises:
        Forbidden: it is disqualified.
    """
    if team.disqualified is not None:
        raise Forbidden(
            "team_disqualified",
            f"{team.name} is disqualified and cannot submit. The organizers' reason: {team.disqualified.rstrip('. ')}. "
            "What was scored stays; ask them if you think that they are wrong.",
        )


def _join(session: Session, user: User, team: Team, *, is_captain: bool) -> None:
    joined = session.scalar(
        insert(Membership)
        .values(team_id=team.id, user_id=user.id, challenge_id=team.challenge_id, is_captain=is_captain)
        .on_conflict_do_nothing()
        .returning(Membership.team_id)
    )
    if joined is None:
        raise _has_team()


def _require_captain(session: Session, user: User, team_id: UUID) -> None:
    require_scope(user, Scope.SUBMIT)
    require_member(session, user, team_id)
    membership = session.get(Membership, (team_id, user.id))
    if not user.acts_as_admin and not (membership and membership.is_captain):
        raise Forbidden("captain_only", "Only the team's captain may do this. Ask your captain.")


def _has_team() -> Conflict:
    return Conflict(
        "already_in_a_team", "You have a team in this challenge. Leave it before you join another."
    )


def _unknown_team() -> NotFound:
    return NotFound(
        "unknown_team", "There is no such team, or you are not in it. GET …/teams/mine shows yours."
    )


def _is_letter_or_digit(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"  # marks too: many scripts write vowels with them


def name_key(name: str) -> str:
    """The name as it is compared: composed, without capitals, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
