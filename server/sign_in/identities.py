"""The identities at providers that are linked to one's account."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import IdentityId
from contract.problems import ErrorCode
from server import events
from server.accounts.models import Identity
from server.accounts.principals import User
from server.accounts.service import require_scope
from server.errors import NotFound


def identities(session: Session, user: User) -> Sequence[Identity]:
    """The user's identities at providers, oldest first."""
    return session.scalars(select(Identity).where(Identity.user_id == user.id).order_by(Identity.id)).all()


def unlink(session: Session, user: User, identity_id: IdentityId) -> None:
    """Takes an identity from the user's account.

    Raises:
        Forbidden: with a token that may only read.
        NotFound: the user has no such identity.
    """
    require_scope(user, Scope.SUBMIT)
    row = session.get(Identity, identity_id)
    if row is None or row.user_id != user.id:
        raise NotFound(
            ErrorCode.UNKNOWN_IDENTITY, "You have no such identity. GET /me/identities lists yours."
        )
    session.delete(row)
    events.record(session, "user", user.id, actor=user.actor, what="identity taken away", why=row.provider)
