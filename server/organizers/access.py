"""Whether somebody organizes a challenge, or may look at all of it. Admins may do both in every challenge.

To organize takes the scope for it; to look at what is hidden, a role and any token.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import ChallengeId
from contract.organizers import Role
from contract.problems import ErrorCode
from server.accounts.principals import Admin, Observer, Organizer, User
from server.accounts.service import require_scope
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.errors import Forbidden, NotFound, Problem
from server.organizers.models import ChallengeRole

_OF_ITS_CHALLENGE = (
    "Only organizers of the challenge that this belongs to may do or see it, and admins with a token of "
    "scope 'admin'."
)


def organizer_of(session: Session, user: User, challenge: Challenge) -> Organizer:
    """`user` as one who decides in `challenge`.

    Raises:
        Forbidden: they have no such role, or the token does not allow to organize.
    """
    return _organizer(session, user, challenge.id, f"Only an organizer of {challenge.slug} may do this.")


def observer_of(session: Session, user: User, challenge: Challenge) -> Observer:
    """`user` as one who may see everything of `challenge`.

    Raises:
        Forbidden: they have no role in it.
    """
    return _observer(session, user, challenge.id, f"Only organizers of {challenge.slug} may see this.")


def observes(session: Session, user: User | None, challenge: Challenge) -> bool:
    """Whether whoever asks may see everything of `challenge`; nobody in particular may not."""
    return user is not None and (isinstance(user, Admin) or _role(session, user, challenge.id) is not None)


def organizer_in(session: Session, user: User, challenge_id: ChallengeId) -> Organizer:
    """`organizer_of`, for the challenge of a thing that is named by its id: see `absent`."""
    return _organizer(session, user, challenge_id, _OF_ITS_CHALLENGE)


def observer_in(session: Session, user: User, challenge_id: ChallengeId) -> Observer:
    """`observer_of`, for the challenge of a thing that is named by its id: see `absent`."""
    return _observer(session, user, challenge_id, _OF_ITS_CHALLENGE)


def absent(user: User, missing: NotFound) -> Problem:
    """The answer where there is no thing of an id: all but admins hear what they hear of another challenge's."""
    return missing if isinstance(user, Admin) else Forbidden(ErrorCode.ORGANIZERS_ONLY, _OF_ITS_CHALLENGE)


def observed(session: Session, user: User, slug: str | None = None) -> frozenset[ChallengeId] | None:
    """The challenges that `user` may see everything of, or the one that is meant; None for an admin: all.

    Raises:
        NotFound: there is no such challenge.
        Forbidden: they have no role in it, or in none at all.
    """
    if isinstance(user, Admin):
        return None
    if slug is not None:
        return frozenset({observer_of(session, user, get_challenge(session, slug)).challenge_id})
    found = frozenset(
        session.scalars(select(ChallengeRole.challenge_id).where(ChallengeRole.user_id == user.id))
    )
    if not found:
        raise Forbidden(
            ErrorCode.ORGANIZERS_ONLY,
            "Only organizers and observers of a challenge, and admins with a token of scope 'admin', may see this.",
        )
    return found


def _organizer(session: Session, user: User, challenge_id: ChallengeId, otherwise: str) -> Organizer:
    if not isinstance(user, Admin):
        if _role(session, user, challenge_id) is not Role.ORGANIZER:
            raise Forbidden(ErrorCode.ORGANIZERS_ONLY, otherwise)
        require_scope(user, Scope.ORGANIZE)
    return Organizer.of(user, challenge_id)


def _observer(session: Session, user: User, challenge_id: ChallengeId, otherwise: str) -> Observer:
    if not isinstance(user, Admin) and _role(session, user, challenge_id) is None:
        raise Forbidden(ErrorCode.ORGANIZERS_ONLY, otherwise)
    return Observer.of(user, challenge_id)


def _role(session: Session, user: User, challenge_id: ChallengeId) -> Role | None:
    found = session.get(ChallengeRole, (challenge_id, user.id))
    return None if found is None else found.role
