"""Naming organizers and observers of a challenge. Admins name both, organizers name observers."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import UserId
from contract.organizers import Role
from contract.problems import ErrorCode
from server import events
from server.accounts.models import Account
from server.accounts.principals import Admin, Observer, User
from server.accounts.service import account_with, require_scope
from server.challenges.models import Challenge
from server.errors import Conflict, Forbidden, NotFound
from server.organizers.access import organizer_of
from server.organizers.ending import end
from server.organizers.models import ChallengeRole
from server.teams.models import Membership, Team

MOST = 100
"""People who may have a role in one challenge."""


@dataclass(frozen=True)
class Named:
    """A person with a role; `team` is the name of theirs in the challenge, if they take part."""

    role: ChallengeRole
    account: Account
    team: str | None


def named(session: Session, observer: Observer) -> list[Named]:
    """Everybody with a role in the challenge, organizers first, in the order they came."""
    rows = session.execute(
        select(ChallengeRole, Account, Team.name)
        .join(Account, Account.id == ChallengeRole.user_id)
        .outerjoin(
            Membership,
            and_(
                Membership.user_id == ChallengeRole.user_id,
                Membership.challenge_id == ChallengeRole.challenge_id,
            ),
        )
        .outerjoin(Team, Team.id == Membership.team_id)
        .where(ChallengeRole.challenge_id == observer.challenge_id)
        .order_by(ChallengeRole.role.desc(), ChallengeRole.created_at, ChallengeRole.user_id)
    )
    return [Named(role, account, team) for role, account, team in rows]


def roles_of(session: Session, user: User) -> Sequence[tuple[str, Role]]:
    """Each challenge in which the user has a role, by name, and the role."""
    rows = session.execute(
        select(Challenge.slug, ChallengeRole.role)
        .join(Challenge, Challenge.id == ChallengeRole.challenge_id)
        .where(ChallengeRole.user_id == user.id)
        .order_by(Challenge.slug)
    )
    return [(slug, role) for slug, role in rows]


def name(
    session: Session, user: User, challenge: Challenge, *, email: str, role: Role, confirmed: bool
) -> Named:
    """Gives a person a role in place of the one they have; the same once more changes nothing.

    Raises:
        Forbidden: `user` is no organizer, or no admin where somebody becomes an organizer or stops being one.
        NotFound: nobody has this address.
        Conflict: the account is closed, there are too many, or it is not `confirmed` what they may see and do then.
    """
    organizer = organizer_of(session, user, challenge)
    account = account_with(session, email)
    if account is None:
        detail = f"Nobody has an account with the address {email}. They register first; nothing was changed."
        raise NotFound(ErrorCode.UNKNOWN_ACCOUNT, detail)
    _lock(session, challenge)
    before = session.get(ChallengeRole, (challenge.id, account.id))
    if before is None or before.role is not role:
        if Role.ORGANIZER in (role, before.role if before else None):
            _require_admin(user)
        if account.closed_at is not None:
            raise Conflict(
                ErrorCode.ACCOUNT_CLOSED, f"The account of {email} is closed. Nothing was changed."
            )
        _require_room(session, challenge, before)
        if not confirmed:
            raise Conflict(ErrorCode.NEEDS_CONFIRMATION, _question(session, challenge, account, role))
        before = before or ChallengeRole(challenge_id=challenge.id, user_id=account.id)
        before.role, before.named_by = role, organizer.actor
        session.add(before)
        said = {"what": f"{role} named", "why": f"user:{account.id}"}
        events.record(session, "challenge", challenge.id, actor=organizer.actor, **said)
        session.flush()
        session.refresh(before)
    return Named(before, account, _team_of(session, challenge, account))


def remove(session: Session, user: User, challenge: Challenge, user_id: UserId) -> None:
    """Takes a role away: admins anybody's, organizers an observer's, and everybody their own.

    Without an organizer a challenge is the admins' to decide.

    Raises:
        Forbidden: `user` is no organizer, or no admin and the role is another organizer's.
        NotFound: the person has no role.
        Conflict: the only organizer's own, who is no admin.
    """
    _lock(session, challenge)
    role = session.get(ChallengeRole, (challenge.id, user_id))
    if role is not None and user.id == user_id and not isinstance(user, Admin):
        require_scope(user, Scope.ORGANIZE)
        if role.role is Role.ORGANIZER:
            _require_other(session, challenge, user_id)
    else:
        organizer_of(session, user, challenge)
        if role is None:
            raise NotFound(ErrorCode.NO_ROLE, f"This person has no role in {challenge.slug}.")
        if role.role is Role.ORGANIZER:
            _require_admin(user)
    end(session, role, actor=user.actor)


def _lock(session: Session, challenge: Challenge) -> None:
    """Nobody else names or removes anybody in the challenge meanwhile."""
    session.execute(select(Challenge.id).where(Challenge.id == challenge.id).with_for_update(key_share=True))


def _require_admin(user: User) -> None:
    if not isinstance(user, Admin):
        raise Forbidden(
            ErrorCode.ADMINS_ONLY,
            "Only an admin makes somebody an organizer, or takes that back; organizers name observers.",
        )


def _require_room(session: Session, challenge: Challenge, before: ChallengeRole | None) -> None:
    of_challenge = select(func.count()).where(ChallengeRole.challenge_id == challenge.id)
    if before is None and (session.scalar(of_challenge) or 0) >= MOST:
        detail = f"{challenge.slug} has {MOST} organizers and observers. Take a role from somebody first."
        raise Conflict(ErrorCode.TOO_MANY_ROLES, detail)


def _require_other(session: Session, challenge: Challenge, user_id: UserId) -> None:
    other = exists().where(
        ChallengeRole.challenge_id == challenge.id,
        ChallengeRole.user_id != user_id,
        ChallengeRole.role == Role.ORGANIZER,
    )
    if not session.scalar(select(other)):
        raise Conflict(
            ErrorCode.LAST_ORGANIZER,
            f"You are the only organizer of {challenge.slug}. Ask an admin to name another one, or to remove you.",
        )


def _question(session: Session, challenge: Challenge, account: Account, role: Role) -> str:
    what = {
        Role.ORGANIZER: "decide in {slug}: its file, its cases, its teams and what is run again, and see all that is "
        "hidden of it",
        Role.OBSERVER: "see all of {slug} that is hidden from participants, sealed leaderboards and what containers "
        "wrote among it, and change nothing",
    }[role].format(slug=challenge.slug)
    team = _team_of(session, challenge, account)
    takes_part = f" They take part in it as a member of the team {team}." if team is not None else ""
    return f"{account.name} ({account.email}) would {what}.{takes_part} Confirm it to go on."


def _team_of(session: Session, challenge: Challenge, account: Account) -> str | None:
    own = Membership.user_id == account.id, Membership.challenge_id == challenge.id
    return session.scalar(select(Team.name).join(Membership, Membership.team_id == Team.id).where(*own))
