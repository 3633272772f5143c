"""Passwords: how they are kept, changed by their owner, and set anew with a code where they are forgotten."""

import hmac
import secrets
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server import events
from server.accounts.models import Account, ApiToken, LogInAttempts, PasswordReset, TokenKind
from server.accounts.principals import Scope, User
from server.accounts.tokens import token_hash
from server.errors import Forbidden, Gone, NotFound, Unauthorized

RESET_LASTS = timedelta(hours=24)
_CODE_PREFIX = "prp_"
_NO_PASSWORD = "!"  # noqa: S105 - no password has this hash

# OWASP's argon2id parameters: 19 MiB, so that forty log-ins at once stay below 1 GiB.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed(password: str) -> str:
    """How a password is stored."""
    return _hasher.hash(password)


def verifies(account: Account | None, password: str) -> bool:
    """Whether this is the account's password; it takes as long where there is no account."""
    try:
        return _hasher.verify(account.password_hash if account else _nobodys_hash(), password) and bool(
            account
        )
    except (VerificationError, InvalidHashError):
        return False


def refresh_hash(account: Account, password: str) -> None:
    """Stores a verified password with today's parameters if it was hashed with others."""
    if _hasher.check_needs_rehash(account.password_hash):
        account.password_hash = hashed(password)


def change_password(
    session: Session, user: User, *, old: str, new: str, asking_token: str, revoke_tokens: bool = False
) -> None:
    """Gives the user another password; their sessions end but the one that asks, and with `revoke_tokens` API tokens.

    Raises:
        Forbidden: a token that may only read, or the old password is wrong.
    """
    if Scope.SUBMIT not in user.scopes:
        raise Forbidden(
            "scope_missing", "A token that may only read changes no password. Log in to change it."
        )
    account = session.scalars(select(Account).where(Account.id == user.id).with_for_update()).one()
    if not verifies(account, old):
        raise Forbidden(
            "wrong_password",
            "The old password is wrong. If it is forgotten, ask the organizers for a code that sets a new one.",
        )
    account.password_hash = hashed(new)
    session.execute(delete(PasswordReset).where(PasswordReset.user_id == account.id))
    kinds = [TokenKind.SESSION, *([TokenKind.API] if revoke_tokens else [])]
    _end_access(session, account.id, kinds=kinds, but=token_hash(asking_token))
    events.record(session, "user", account.id, actor=user.actor, what="password changed")


def begin_reset(session: Session, user_id: UUID, *, actor: str) -> tuple[str, datetime]:
    """A code with which the person sets a new password once within a day, and when it runs out.

    Until then nobody logs in: the old password, the sessions and the API tokens end now, and an older code does too.

    Raises:
        NotFound: there is no such account.
    """
    account = session.scalar(select(Account).where(Account.id == user_id).with_for_update())
    if account is None:
        raise NotFound("unknown_account", "There is no such account. GET /admin/users lists them.")
    code = _CODE_PREFIX + secrets.token_urlsafe(24)
    values = {"code_hash": token_hash(code), "expires_at": func.now() + RESET_LASTS, "created_at": func.now()}
    expires_at: datetime = session.execute(
        insert(PasswordReset)
        .values(user_id=account.id, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
        .returning(PasswordReset.expires_at)
    ).scalar_one()
    account.password_hash = _NO_PASSWORD
    _end_access(session, account.id, kinds=[TokenKind.SESSION, TokenKind.API])
    events.record(
        session,
        "user",
        account.id,
        actor=actor,
        what="password reset begun",
        why="sessions, tokens and the old password ended",
    )
    return code, expires_at


def finish_reset(session: Session, *, email: str, code: str, password: str) -> None:
    """Sets a new password with a code.

    Raises:
        Unauthorized: there is no such account, or the code is not its.
        Gone: it has run out.
    """
    found = session.execute(
        select(PasswordReset, Account, PasswordReset.expires_at <= func.now())
        .join(Account, Account.id == PasswordReset.user_id)
        .where(Account.email == email.lower())
        .with_for_update()
    ).one_or_none()
    if found is None or not hmac.compare_digest(found[0].code_hash, token_hash(code.strip())):
        raise Unauthorized(
            "wrong_code",
            "The code is not one for this address, or it was used. Check both, or ask the organizers for a new code.",
        )
    reset, account, expired = found
    if expired:
        raise Gone("code_over", "This code has run out. Ask the organizers for a new one.")
    account.password_hash = hashed(password)
    session.delete(reset)
    forget_attempts(session, account.email)
    events.record(session, "user", account.id, actor=f"user:{account.id}", what="password reset")


def forget_attempts(session: Session, email: str) -> None:
    """Somebody who has shown who they are may log in at once, however often it was tried before."""
    session.execute(delete(LogInAttempts).where(LogInAttempts.email_hash == token_hash(email)))


def _end_access(session: Session, user_id: UUID, *, kinds: list[TokenKind], but: str = "") -> None:
    session.execute(
        update(ApiToken)
        .where(
            ApiToken.user_id == user_id,
            ApiToken.kind.in_(kinds),
            ApiToken.revoked_at.is_(None),
            ApiToken.hash != but,
        )
        .values(revoked_at=func.now())
    )


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody")
