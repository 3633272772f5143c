"""What somebody has in hand: sessions and tokens, listed and ended all at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import TokenId, UserId
from contract.problems import ErrorCode
from server import events
from server.accounts.models import ApiToken, PasswordReset, TokenKind
from server.accounts.principals import User
from server.accounts.service import locked, require_scope
from server.accounts.tokens import LIVE
from server.errors import NotFound


@dataclass(frozen=True)
class Ended:
    """How many ended."""

    sessions: int
    tokens: int


def list_sessions(session: Session, user: User) -> Sequence[ApiToken]:
    """The user's sessions that have not ended, oldest first."""
    return session.scalars(
        select(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.kind == TokenKind.SESSION, *LIVE)
        .order_by(ApiToken.id)
    ).all()


def end_session(session: Session, user: User, session_id: TokenId) -> None:
    """Ends one of the user's own sessions; a second time does nothing.

    Raises:
        Forbidden: with a token that may only read.
        NotFound: the user has no such session.
    """
    require_scope(user, Scope.SUBMIT)
    row = session.get(ApiToken, session_id)
    if row is None or row.user_id != user.id or row.kind is not TokenKind.SESSION:
        raise NotFound(ErrorCode.UNKNOWN_SESSION, "You have no such session. GET /sessions lists yours.")
    row.revoked_at = row.revoked_at or func.now()


def log_out_everywhere(session: Session, user: User, *, and_tokens: bool) -> Ended:
    """Ends the user's sessions, the asking one too, and with `and_tokens` the API tokens.

    Raises:
        Forbidden: with a token that may only read.
    """
    require_scope(user, Scope.SUBMIT)
    locked(session, user.id)
    kinds = [TokenKind.SESSION, *([TokenKind.API] if and_tokens else [])]
    ended = end_access(session, user.id, kinds=kinds)
    events.record(session, "user", user.id, actor=user.actor, what="logged out everywhere", why=_said(ended))
    return ended


def revoke_all(session: Session, user_id: UserId, *, actor: str) -> Ended:
    """Ends a person's sessions, API tokens and pending codes.

    Raises:
        NotFound: there is no such account.
    """
    locked(session, user_id)
    ended = end_access(session, user_id, kinds=[TokenKind.SESSION, TokenKind.API])
    for pending in session.scalars(select(PasswordReset).where(PasswordReset.user_id == user_id)):
        session.delete(pending)
    events.record(session, "user", user_id, actor=actor, what="access revoked", why=_said(ended))
    return ended


def end_access(session: Session, user_id: UserId, *, kinds: Collection[TokenKind], but: str = "") -> Ended:
    """Ends a person's tokens of these kinds, but for the one with the hash `but`; children are a person's own too.

    Again until nothing is left: a token that is being made holds the row of the one that asks, which is seen next.
    """
    mine = (ApiToken.user_id == user_id, ApiToken.kind.in_(kinds))
    ended: list[TokenKind] = []
    while now := list(
        session.scalars(
            update(ApiToken)
            .where(*mine, ApiToken.revoked_at.is_(None), ApiToken.hash != but)
            .values(revoked_at=func.now())
            .returning(ApiToken.kind)
        )
    ):
        ended += now
    return Ended(*(ended.count(kind) for kind in (TokenKind.SESSION, TokenKind.API)))


def _said(ended: Ended) -> str:
    return f"sessions: {ended.sessions}, tokens: {ended.tokens}"
