"""Passwords: changed by their owner, and set anew with a code where they are forgotten.

Both have two steps with the hashing between them (`server.accounts.hashing`), while which no database connection waits.
"""

import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import UserId
from contract.problems import ErrorCode
from server import events
from server.accounts import codes, hashing, tallies
from server.accounts.access import end_access
from server.accounts.codes import Purpose
from server.accounts.log_ins import forget_attempts, password_changed
from server.accounts.models import Account, Identity, PasswordReset, TokenKind
from server.accounts.principals import User
from server.accounts.service import locked
from server.accounts.tallies import Bound
from server.accounts.tokens import token_hash
from server.database import SessionFactory, unit_of_work
from server.errors import Conflict, Forbidden, Gone, NotNow, Unauthorized

RESET_LASTS = timedelta(hours=24)
OWN_GUESSES = Bound("own-password", 10, timedelta(minutes=15), by_anybody=False)
_CODE_PREFIX = "prp_"


def proven(sessions: SessionFactory, user: User, password: str) -> str:
    """The user's password as it is stored, once they have shown it.

    Raises:
        Forbidden: it is another one, or the token may only read.
        NotNow: too often.
    """
    with unit_of_work(sessions) as session:
        stored = _stored(session, user)
    if not hashing.verifies(stored, password, known=True):
        raise _wrong_password()
    return stored


def _stored(session: Session, user: User) -> str:
    """The user's password as it is stored, to hold an old one against; counted, for somebody may have their token.

    The caller commits this on its own: a wrong password must not undo its count.

    Raises:
        Forbidden: a token that may only read.
        NotNow: too often.
    """
    if Scope.SUBMIT not in user.scopes:
        raise Forbidden(
            ErrorCode.SCOPE_MISSING, "A token that may only read changes no password. Log in to change it."
        )
    wait = tallies.count(session, OWN_GUESSES, user.id)
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_LOG_INS,
            tallies.later("Too many wrong passwords.", wait),
            seconds=wait.total_seconds(),
        )
    tallies.prune(session)
    return session.execute(select(Account.password_hash).where(Account.id == user.id)).scalar_one()


def _wrong_password() -> Forbidden:
    """The answer to a wrong old password."""
    return Forbidden(
        ErrorCode.WRONG_PASSWORD,
        "The old password is wrong. If it is forgotten, ask the organizers for a code that sets a new one.",
    )


def change_password(
    session: Session,
    user: User,
    *,
    stored: str,
    password_hash: str,
    source: str,
    asking_token: str,
    revoke_tokens: bool = False,
) -> None:
    """Gives the user another password; their sessions end but the one that asks, and with `revoke_tokens` API tokens.

    Raises:
        Conflict: it is no longer the one that was `stored` when the old password was looked at.
    """
    account = locked(session, user.id)
    if account.password_hash != stored:
        raise password_changed()
    account.password_hash = password_hash
    session.execute(delete(PasswordReset).where(PasswordReset.user_id == account.id))
    kinds = [TokenKind.SESSION, *([TokenKind.API] if revoke_tokens else [])]
    end_access(session, account.id, kinds=kinds, but=token_hash(asking_token))
    tallies.forget(session, OWN_GUESSES, user.id)
    forget_attempts(session, account.email, source)
    events.record(session, "user", account.id, actor=user.actor, what="password changed")


def no_password() -> str:
    """How it is stored that somebody has no password: each time otherwise, so that it is seen when that changes."""
    return "!" + secrets.token_hex(16)


def begin_reset(session: Session, user_id: UserId, *, actor: str) -> tuple[str, datetime]:
    """A code with which the person sets a new password once within a day, and when it runs out.

    Until then nobody logs in: the old password, sessions, API tokens and identities at providers end now, and so
    does an older code.

    Raises:
        NotFound: there is no such account.
        Conflict: it is closed.
    """
    account = locked(session, user_id)
    if account.closed_at is not None:
        raise Conflict(ErrorCode.ACCOUNT_CLOSED, "This account is closed. Open it again first.")
    code = _CODE_PREFIX + secrets.token_urlsafe(24)
    values = {"code_hash": token_hash(code), "expires_at": func.now() + RESET_LASTS, "created_at": func.now()}
    expires_at: datetime = session.execute(
        insert(PasswordReset)
        .values(user_id=account.id, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
        .returning(PasswordReset.expires_at)
    ).scalar_one()
    account.password_hash = no_password()
    session.execute(delete(Identity).where(Identity.user_id == account.id))
    end_access(session, account.id, kinds=[TokenKind.SESSION, TokenKind.API])
    events.record(
        session,
        "user",
        account.id,
        actor=actor,
        what="password reset begun",
        why="sessions, tokens and the old password ended",
    )
    return code, expires_at


def require_code(session: Session, *, email: str, code: str, key: str) -> tuple[Account, bool]:
    """The account that this code sets a new password of, and whether it came by mail; nobody else uses it meanwhile.

    Raises:
        Unauthorized: there is no such account, or the code is not its.
        Gone: it has run out.
    """
    found = session.execute(
        select(Account, PasswordReset.code_hash, PasswordReset.expires_at <= func.now())
        .outerjoin(PasswordReset, PasswordReset.user_id == Account.id)
        .where(Account.email == email.lower())
        .with_for_update(of=Account)
    ).one_or_none()
    if found is not None:
        account, by_admin, expired = found
        if by_admin is not None and hmac.compare_digest(by_admin, token_hash(code.strip())):
            holds, by_mail = (None if expired else True), False
        else:
            bound = (account.email, account.password_hash)
            holds, by_mail = codes.holds(key, code, Purpose.RESET, account.id, *bound), True
        if holds:
            return account, by_mail
        if holds is None:
            raise Gone(
                ErrorCode.CODE_OVER,
                "This code has run out. Ask the organizers for a new one.",
            )
    raise Unauthorized(
        ErrorCode.WRONG_CODE,
        "The code is not one for this address, or it was used. Check both, or ask the organizers for a new code.",
    )


def finish_reset(
    session: Session, *, email: str, code: str, password_hash: str, source: str, key: str
) -> None:
    """Sets a new password with a code, and ends all that let somebody in before.

    A code that came by mail shows whose the address is. Identities at providers that were linked before anybody had
    shown that go too: whoever registered an address that is not theirs would keep a door.

    Raises:
        Unauthorized: there is no such account, or the code is not its.
        Gone: it has run out.
    """
    account, by_mail = require_code(session, email=email, code=code, key=key)
    account.password_hash = password_hash
    session.execute(delete(PasswordReset).where(PasswordReset.user_id == account.id))
    end_access(session, account.id, kinds=[TokenKind.SESSION, TokenKind.API])
    if by_mail:
        before = true() if account.verified_at is None else Identity.created_at < account.verified_at
        session.execute(delete(Identity).where(Identity.user_id == account.id, before))
        account.verified_at = account.verified_at or func.now()
    forget_attempts(session, account.email, source)
    events.record(session, "user", account.id, actor=f"user:{account.id}", what="password reset")
