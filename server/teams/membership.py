"""Who is in a team: joining, leaving, and what ends with it."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import ChallengeId, TeamId, UserId
from contract.problems import ErrorCode
from evaluator.spec import Challenge as Spec
from server import events
from server.accounts.models import Account
from server.accounts.principals import Organizer, User
from server.accounts.service import require_scope
from server.challenges.models import Challenge
from server.errors import Conflict, Forbidden, NotFound
from server.organizers.access import absent, organizer_in
from server.teams.models import Invitation, Membership, Team

MEMBERS = 100
"""People that a team may have."""


def most_members(spec: Spec) -> int:
    """People that a team of this challenge may have."""
    return min(MEMBERS, spec.teams.most_members or MEMBERS)


def find_team(session: Session, user: User, challenge_id: ChallengeId) -> Team | None:
    """The user's team in a challenge, or None."""
    return session.scalar(
        select(Team).join(Membership).where(Membership.user_id == user.id, Team.challenge_id == challenge_id)
    )


def teams_of(session: Session, user: User) -> Sequence[tuple[Team, str, bool]]:
    """The user's teams, the newest first, each with the name of its challenge and whether they are its captain."""
    rows = session.execute(
        select(Team, Challenge.slug, Membership.is_captain)
        .join(Membership, Membership.team_id == Team.id)
        .join(Challenge, Challenge.id == Team.challenge_id)
        .where(Membership.user_id == user.id)
        .order_by(Membership.created_at.desc(), Team.id)
    )
    return [(team, slug, is_captain) for team, slug, is_captain in rows]


def may_see(session: Session, user: User, team_id: TeamId) -> bool:
    """Whether what a team has is there for the user: who is in it, or acts as an admin."""
    return user.acts_as_admin or is_member(session, user, team_id)


def require_member(session: Session, user: User, team_id: TeamId) -> Team:
    """The team, if the user is in it or acts as an admin.

    Raises:
        NotFound: no such team, or somebody else's; the two look the same.
    """
    team = session.get(Team, team_id)
    if team is None or not may_see(session, user, team_id):
        raise unknown_team()
    return team


def organized_team(session: Session, user: User, team_id: TeamId) -> tuple[Organizer, Team]:
    """A team, and the user as one who decides in its challenge.

    Raises:
        NotFound, Forbidden: there is none; they may not. Only an admin learns which.
    """
    team = session.get(Team, team_id)
    if team is None:
        raise absent(user, unknown_team())
    return organizer_in(session, user, team.challenge_id), team


def require_captain(session: Session, user: User, team_id: TeamId) -> None:
    """Refuses whoever is neither the team's captain nor an admin.

    Raises:
        NotFound: somebody else's team.
        Forbidden: another member.
    """
    require_scope(user, Scope.SUBMIT)
    require_member(session, user, team_id)
    membership = session.get(Membership, (team_id, user.id))
    if not user.acts_as_admin and not (membership and membership.is_captain):
        raise Forbidden(ErrorCode.CAPTAIN_ONLY, "Only the team's captain may do this. Ask your captain.")


def is_member(session: Session, user: User, team_id: TeamId) -> bool:
    """Whether the user is in the team."""
    return session.get(Membership, (team_id, user.id)) is not None


def members(session: Session, team_id: TeamId) -> Sequence[tuple[Membership, Account]]:
    """Who is in a team, in the order they came."""
    rows = session.execute(
        select(Membership, Account)
        .join(Account, Account.id == Membership.user_id)
        .where(Membership.team_id == team_id)
        .order_by(Membership.created_at, Membership.user_id)
    ).all()
    return [(membership, account) for membership, account in rows]


def lock_team(session: Session, team_id: TeamId) -> None:
    """Nobody comes, goes or invites meanwhile; what was read of the team before is read anew."""
    session.scalar(select(Team.id).where(Team.id == team_id).with_for_update(key_share=True))
    session.expire_all()


def join(session: Session, user: User, team: Team) -> None:
    """Puts the user into a team that is locked; as captain where it has none who can act.

    Raises:
        Conflict: the team is full, or the user has a team in this challenge.
    """
    present = members(session, team.id)
    most = most_members(session.get_one(Challenge, team.challenge_id).spec)
    if len(present) >= most:
        raise Conflict(
            ErrorCode.TEAM_FULL, f"A team has at most {most} members. Ask its captain to make room."
        )
    captains = [
        membership for membership, account in present if membership.is_captain and account.closed_at is None
    ]
    if not captains:
        for membership, _ in present:
            membership.is_captain = False
    joined = session.scalar(
        insert(Membership)
        .values(team_id=team.id, user_id=user.id, challenge_id=team.challenge_id, is_captain=not captains)
        .on_conflict_do_nothing()
        .returning(Membership.team_id)
    )
    if joined is None:
        raise has_team()


def remove_member(session: Session, user: User, team_id: TeamId, member_id: UserId) -> None:
    """Takes a member out: oneself, or anybody if one is the captain or an admin.

    A captain who leaves hands over to whoever has been in the team longest. Invitations that the member made end.

    Raises:
        NotFound: somebody else's team, or no such member.
        Forbidden: another member, without being the captain.
        Conflict: nobody would be left, and the team's attempts with nobody.
    """
    require_scope(user, Scope.SUBMIT)
    require_member(session, user, team_id)
    lock_team(session, team_id)
    if member_id != user.id:
        require_captain(session, user, team_id)
    if all(membership.user_id != member_id for membership, _ in members(session, team_id)):
        raise NotFound(ErrorCode.UNKNOWN_MEMBER, "There is no such member in this team.")
    if not _take_out(session, team_id, member_id, actor=user.actor):
        raise Conflict(
            ErrorCode.LAST_MEMBER,
            "A team keeps at least one member. Invite somebody first, or ask the organizers.",
        )


def leave_all(session: Session, user_id: UserId, *, actor: str) -> None:
    """Takes a person out of all their teams but those that they are the last of; all their invitations end."""
    teams = session.scalars(
        select(Membership.team_id).where(Membership.user_id == user_id).order_by(Membership.team_id)
    ).all()
    for team_id in teams:
        lock_team(session, team_id)
        _take_out(session, team_id, user_id, actor=actor)
    _end_invitations(session, user_id)


def _take_out(session: Session, team_id: TeamId, member_id: UserId, *, actor: str) -> bool:
    """Takes a member out of a team that is locked; False where nobody would be left who can act for it."""
    present = members(session, team_id)
    leaving = next(membership for membership, _ in present if membership.user_id == member_id)
    staying = [
        membership
        for membership, account in present
        if membership is not leaving and account.closed_at is None
    ]
    if not staying:
        return False
    session.delete(leaving)
    if leaving.is_captain:
        staying[0].is_captain = True
    _end_invitations(session, member_id, team_id=team_id, and_of_unknown=leaving.is_captain)
    events.record(session, "team", team_id, actor=actor, what="member left", why=f"user:{member_id}")
    return True


def _end_invitations(
    session: Session, user_id: UserId, *, team_id: TeamId | None = None, and_of_unknown: bool = False
) -> None:
    """Ends what a person has made; `and_of_unknown`: what is older than the record of who made it, too."""
    made = Invitation.made_by == user_id
    made = or_(made, Invitation.made_by.is_(None)) if and_of_unknown else made
    of_team = [Invitation.team_id == team_id] if team_id is not None else []
    session.execute(
        update(Invitation)
        .where(made, *of_team, Invitation.used_at.is_(None), Invitation.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )


def has_team() -> Conflict:
    """The answer to somebody who has a team in this challenge."""
    return Conflict(
        ErrorCode.ALREADY_IN_A_TEAM, "You have a team in this challenge. Leave it before you join another."
    )


def unknown_team() -> NotFound:
    """The answer for a team that does not exist, and for somebody else's."""
    return NotFound(
        ErrorCode.UNKNOWN_TEAM, "There is no such team, or you are not in it. GET …/teams/mine shows yours."
    )
