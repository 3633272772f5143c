"""Accounts: who exists, who logs in, and whose token this is."""

import hashlib
import hmac
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, delete, exists, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server import events
from server.accounts.models import Account, ApiToken, LogInAttempts, TokenKind
from server.accounts.passwords import hashed, refresh_hash, verifies
from server.accounts.principals import Admin, RunWorker, Scope, User
from server.accounts.tokens import (
    create_api_token,
    create_worker_token,
    issue,
    list_tokens,
    revoke_token,
    revoke_worker,
    token_hash,
)
from server.errors import Conflict, Forbidden, NotFound, QuotaSpent, Unauthorized

__all__ = [
    "account_of",
    "account_with",
    "authenticate_admin",
    "authenticate_run_worker",
    "authenticate_user",
    "count_log_in",
    "create_api_token",
    "create_worker_token",
    "list_tokens",
    "log_in",
    "log_out",
    "make_admin",
    "register",
    "require_scope",
    "revoke_token",
    "revoke_worker",
    "set_admin",
]

SESSION_LASTS = timedelta(hours=12)
LOG_INS_PER_WINDOW = 10
LOG_IN_WINDOW = timedelta(minutes=15)
_FIRST_ADMIN_LOCK = 0x70726F63746F72  # any fixed number: registrations of a first admin queue behind it


def register(
    session: Session,
    *,
    email: str,
    name: str,
    password: str,
    setup_token: str | None = None,
    expected_setup_token: str | None = None,
) -> Account:
    """A new account; with the installation's setup token, and while there is no admin, an admin's.

    Raises:
        Forbidden: the setup token is wrong or was used up.
        Conflict: the address has an account.
    """
    is_admin = setup_token is not None
    if setup_token is not None:
        _check_setup_token(session, setup_token, expected_setup_token)
    row: Account | None = session.scalar(
        insert(Account)
        .values(email=email.lower(), name=name, password_hash=hashed(password), is_admin=is_admin)
        .on_conflict_do_nothing(index_elements=["email"])
        .returning(Account)
    )
    if row is None:
        raise Conflict(
            "email_taken", "This e-mail address has an account. Log in, or register another address."
        )
    events.record(
        session,
        "user",
        row.id,
        actor=f"user:{row.id}",
        what="registered",
        why="as admin" if is_admin else None,
    )
    return row


def _check_setup_token(session: Session, given: str, expected: str | None) -> None:
    if expected is None or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Forbidden(
            "wrong_setup_token", "The setup token is wrong. Leave it out to register as a participant."
        )
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FIRST_ADMIN_LOCK})
    if session.scalar(select(exists().where(Account.is_admin))):
        raise Forbidden(
            "setup_done",
            "There is an admin already, so the setup token no longer works. Register without it.",
        )


def count_log_in(session: Session, email: str) -> None:
    """Counts a log-in before its password is looked at, so that parallel guesses count too.

    The caller commits this on its own: a refused log-in must not undo its count.

    Raises:
        QuotaSpent: too many in this window; known and unknown addresses alike.
    """
    over = LogInAttempts.since < func.now() - LOG_IN_WINDOW
    count, since, now = session.execute(
        insert(LogInAttempts)
        .values(email_hash=_sha256(email.lower()), count=1)
        .on_conflict_do_update(
            index_elements=["email_hash"],
            set_={
                "count": case((over, 1), else_=func.least(LogInAttempts.count, LOG_INS_PER_WINDOW) + 1),
                "since": case((over, func.now()), else_=LogInAttempts.since),
            },
        )
        .returning(LogInAttempts.count, LogInAttempts.since, func.now())
    ).one()
    if count > LOG_INS_PER_WINDOW:
        raise _throttled(since + LOG_IN_WINDOW - now)


def _throttled(wait: timedelta) -> QuotaSpent:
    seconds = max(1, round(wait.total_seconds()))
    problem = QuotaSpent(
        "too_many_log_ins",
        f"Too many log-ins for this address. Wait {-(-seconds // 60)} minutes and try again.",
    )
    problem.headers["Retry-After"] = str(seconds)
    return problem


def log_in(session: Session, *, email: str, password: str) -> tuple[str, datetime]:
    """A session token and when it expires.

    Raises:
        Unauthorized: wrong address or password; both take the same time and say the same.
    """
    account = session.scalar(select(Account).where(Account.email == email.lower()))
    if not verifies(account, password) or account is None:
        raise Unauthorized("wrong_credentials", "The e-mail address or the password is wrong.")
    refresh_hash(account, password)
    stale = LogInAttempts.since < func.now() - LOG_IN_WINDOW
    session.execute(delete(LogInAttempts).where((LogInAttempts.email_hash == _sha256(account.email)) | stale))
    scopes = [Scope.READ, Scope.SUBMIT, *([Scope.ADMIN] if account.is_admin else [])]
    token, row = issue(
        session, TokenKind.SESSION, name="log-in", user_id=account.id, scopes=scopes, lasts=SESSION_LASTS
    )
    assert row.expires_at is not None  # noqa: S101 - issued with a duration
    return token, row.expires_at


def make_admin(session: Session, *, email: str, name: str, password: str, actor: str) -> Account:
    """A new account that is an admin's.

    Raises:
        Conflict: the address has an account.
    """
    account = register(session, email=email, name=name, password=password)
    set_admin(session, account.id, is_admin=True, actor=actor)
    return account


def account_with(session: Session, email: str) -> Account | None:
    """The account of an address, whatever its capitals."""
    return session.scalar(select(Account).where(Account.email == email.strip().lower()))


def set_admin(session: Session, user_id: UUID, *, is_admin: bool, actor: str) -> Account:
    """Makes a person an admin, or no longer one; tokens of theirs with the scope lose it at once.

    Raises:
        NotFound: there is no such account.
        Conflict: there would be no admin left.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FIRST_ADMIN_LOCK})
    account = session.get(Account, user_id, with_for_update=True)
    if account is None:
        raise NotFound("unknown_account", "There is no such account. GET /admin/users lists them.")
    others = select(exists().where(Account.is_admin, Account.id != user_id))
    if not is_admin and account.is_admin and not session.scalar(others):
        raise Conflict("last_admin", "This is the only admin. Make another person one first.")
    if account.is_admin != is_admin:
        account.is_admin = is_admin
        events.record(
            session, "user", account.id, actor=actor, what="made admin" if is_admin else "no longer admin"
        )
    return account


def log_out(session: Session, token: str | None) -> None:
    """Ends the session this token stands for.

    Raises:
        Conflict: it is an API token, which is revoked by its id.
    """
    row, _ = _authenticate(session, token)
    if row.kind is not TokenKind.SESSION:
        raise Conflict(
            "not_a_session", "This is an API token, not a session. Revoke it with DELETE /tokens/{id}."
        )
    row.revoked_at = func.now()


def account_of(session: Session, user: User) -> Account:
    """The account of a signed-in user."""
    account = session.get(Account, user.id)
    if account is None:
        raise NotFound("unknown_account", "This account no longer exists.")
    return account


def authenticate_user(session: Session, token: str | None) -> User:
    """Whose token this is.

    Raises:
        Unauthorized: no token, or one that is unknown, revoked or expired.
    """
    row, account = _authenticate(session, token)
    if account is None:
        raise Unauthorized(
            "worker_token", "This is a run worker's token. Use your own: log in or create an API token."
        )
    kind = Admin if account.is_admin and Scope.ADMIN in row.scopes else User
    scopes = frozenset(row.scopes) - (frozenset() if account.is_admin else {Scope.ADMIN})
    return kind(id=account.id, name=account.name, is_admin=account.is_admin, scopes=scopes)


def authenticate_admin(session: Session, token: str | None) -> Admin:
    """The admin whose token this is.

    Raises:
        Unauthorized: as for users.
        Forbidden: not an admin, or a token without the scope.
    """
    user = authenticate_user(session, token)
    if not isinstance(user, Admin):
        raise Forbidden("admins_only", "Only an admin, with a token of scope 'admin', may do this.")
    return user


def authenticate_run_worker(session: Session, token: str | None) -> RunWorker:
    """The run worker whose token this is.

    Raises:
        Unauthorized: no token, or not a valid run worker's.
    """
    row, account = _authenticate(session, token)
    if account is not None:
        raise Unauthorized("not_a_worker", "This is a person's token. Run workers need one of their own.")
    return RunWorker(id=row.id, name=row.name, slots=row.slots)


def require_scope(user: User, scope: str) -> None:
    """Refuses a token that does not allow this.

    Raises:
        Forbidden: the scope is missing.
    """
    if scope not in user.scopes:
        raise Forbidden("scope_missing", f"This token lacks the scope '{scope}'. Create a token that has it.")


def _authenticate(session: Session, token: str | None) -> tuple[ApiToken, Account | None]:
    if not token:
        raise Unauthorized(
            "not_signed_in", "Send a token: 'Authorization: Bearer …'. Log in or create one first."
        )
    found = session.execute(
        select(ApiToken, Account, ApiToken.expires_at <= func.now())
        .outerjoin(Account, Account.id == ApiToken.user_id)
        .where(ApiToken.hash == token_hash(token))
    ).one_or_none()
    if found is None:
        raise Unauthorized(
            "invalid_token", "This token is unknown. Check that it was copied whole, or log in again."
        )
    row, account, expired = found
    if row.revoked_at is not None:
        raise Unauthorized("token_revoked", "This token was revoked. Log in again or create a new one.")
    if expired:
        raise Unauthorized("token_expired", "This token has expired. Log in again or create a new one.")
    return row, account


def _sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
