"""Whether somebody organizes a challenge, or may look at all of it. Admins may do both in every challenge."""

from sqlalchemy.orm import Session

from contract.organizers import Role
from contract.problems import ErrorCode
from server.accounts.principals import Admin, Observer, Organizer, User
from server.challenges.models import Challenge
from server.errors import Forbidden
from server.organizers.models import ChallengeRole


def organizer_of(session: Session, user: User, challenge: Challenge) -> Organizer:
    """`user` as one who decides in `challenge`.

    Raises:
        Forbidden: they have no such role, or the token does not allow to change anything.
    """
    if not isinstance(user, Admin) and _role(session, user, challenge) is not Role.ORGANIZER:
        raise Forbidden(ErrorCode.ORGANIZERS_ONLY, f"Only an organizer of {challenge.slug} may do this.")
    return Organizer.of(user, challenge.id)


def observer_of(session: Session, user: User, challenge: Challenge) -> Observer:
    """`user` as one who may see everything of `challenge`.

    Raises:
        Forbidden: they have no role in it.
    """
    if not may_observe(session, user, challenge):
        raise Forbidden(ErrorCode.ORGANIZERS_ONLY, f"Only organizers of {challenge.slug} may see this.")
    return Observer.of(user, challenge.id)


def may_observe(session: Session, user: User | None, challenge: Challenge) -> bool:
    """Whether whoever asks may see everything of `challenge`; nobody in particular may not."""
    return user is not None and (isinstance(user, Admin) or _role(session, user, challenge) is not None)


def _role(session: Session, user: User, challenge: Challenge) -> Role | None:
    found = session.get(ChallengeRole, (challenge.id, user.id))
    return None if found is None else found.role
