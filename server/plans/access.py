"""Whose challenge file is taken, and what code it may name."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from evaluator.spec import code_in
from server.accounts.principals import Admin, User
from server.challenges.models import SpecVersion
from server.challenges.service import find_challenge
from server.errors import Forbidden
from server.organizers.access import observed, organizer_of


def code_of(session: Session, user: User) -> Collection[str] | None:
    """The code (`package.module:object`) that a file from `user` may name; None: whatever is installed, for admins.

    A name is imported where the file is read. So organizers may repeat what versions of their challenges name, which
    an admin has applied first, and use metrics that are installed under a name of their own.

    Raises:
        Forbidden: they have no role in any challenge, so that nothing they send is read.
    """
    own = observed(session, user)
    if own is None:
        return None
    versions = session.scalars(select(SpecVersion.content).where(SpecVersion.challenge_id.in_(own)))
    return {name for content in versions for name in code_in(content).values()}


def require_author(session: Session, user: User, slug: str) -> None:
    """Refuses who may not apply a file to the challenge `slug`, or make that challenge.

    Raises:
        Forbidden: another's challenge, or a new one from somebody who is no admin.
    """
    challenge = find_challenge(session, slug)
    if challenge is not None:
        organizer_of(session, user, challenge)
    elif not isinstance(user, Admin):
        detail = f"There is no challenge {slug} on this server, and only an admin makes one."
        raise Forbidden(ErrorCode.ADMINS_ONLY, detail)
