"""Accounts: who exists, who logs in, and whose token this is."""

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import UserId
from contract.problems import ErrorCode
from server import events
from server.accounts import tokens
from server.accounts.models import Account, ApiToken, TokenKind
from server.accounts.principals import Admin, RunWorker, User
from server.accounts.tokens import token_hash
from server.errors import Conflict, Forbidden, NotFound, Unauthorized

FIRST_ADMIN_LOCK = 0x70726F63746F72
"""Any fixed number: registrations of a first admin, and whoever changes who is one, queue behind it."""


def require_verified(session: Session, user: User, *, required: bool) -> None:
    """Refuses somebody whose address nobody has shown to be theirs, where that is required.

    Raises:
        Forbidden: it is not verified.
    """
    if required and account_of(session, user).verified_at is None:
        raise Forbidden(
            ErrorCode.ADDRESS_UNVERIFIED,
            "Your address is not verified yet. `proctor verify-address` takes the code that went to it, and --send has "
            "another one sent; where this server sends no mail, ask the organizers.",
        )


def account_with(session: Session, email: str) -> Account | None:
    """The account of an address, whatever its capitals."""
    return session.scalar(select(Account).where(Account.email == email.strip().lower()))


def set_admin(session: Session, user_id: UserId, *, is_admin: bool, actor: str) -> Account:
    """Makes a person an admin, or no longer one; tokens of theirs with the scope lose it at once.

    Raises:
        NotFound: there is no such account.
        Conflict: there would be no admin left.
    """
    account = locked(session, user_id, and_admins=True)
    if not is_admin:
        require_other_admin(session, account)
    if account.is_admin != is_admin:
        account.is_admin = is_admin
        events.record(
            session, "user", account.id, actor=actor, what="made admin" if is_admin else "no longer admin"
        )
    return account


def locked(session: Session, user_id: UserId, *, and_admins: bool = False) -> Account:
    """An account that nobody else changes meanwhile; `and_admins`: nor who is an admin.

    Raises:
        NotFound: there is no such account.
    """
    if and_admins:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": FIRST_ADMIN_LOCK})
    # Not the key: who writes a row that names the account, perhaps with a team locked, does not have to wait.
    lock = select(Account).where(Account.id == user_id).with_for_update(key_share=True)
    account = session.scalar(lock.execution_options(populate_existing=True))
    if account is None:
        raise NotFound(ErrorCode.UNKNOWN_ACCOUNT, "There is no such account. GET /admin/users lists them.")
    return account


def require_other_admin(session: Session, account: Account) -> None:
    """Refuses what would leave the installation without an admin.

    Raises:
        Conflict: this is the only admin.
    """
    others = exists().where(Account.is_admin, Account.id != account.id, Account.closed_at.is_(None))
    if account.is_admin and not session.scalar(select(others)):
        raise Conflict(ErrorCode.LAST_ADMIN, "This is the only admin. Make another person one first.")


def require_session(session: Session, user: User) -> None:
    """Refuses an API token: what it opens would have more scopes than it, and outlive it.

    Raises:
        Forbidden: it is one.
    """
    row = session.get(ApiToken, user.token_id)
    if row is None or row.kind is not TokenKind.SESSION:
        raise Forbidden(
            ErrorCode.SESSION_NEEDED, "An API token does not do for this. Log in, and ask with the session."
        )


def log_out(session: Session, token: str | None) -> None:
    """Ends the session this token stands for.

    Raises:
        Conflict: it is an API token, which is revoked by its id.
    """
    row, _ = _authenticate(session, token)
    if row.kind is not TokenKind.SESSION:
        raise Conflict(
            ErrorCode.NOT_A_SESSION,
            "This is an API token, not a session. Revoke it with DELETE /tokens/{id}.",
        )
    row.revoked_at = func.now()


def account_of(session: Session, user: User) -> Account:
    """The account of a signed-in user."""
    account = session.get(Account, user.id)
    if account is None:
        raise NotFound(ErrorCode.UNKNOWN_ACCOUNT, "This account no longer exists.")
    return account


def authenticate_user(session: Session, token: str | None) -> User:
    """Whose token this is.

    Raises:
        Unauthorized: no token, or one that is unknown, revoked or expired.
    """
    row, account = _authenticate(session, token)
    if account is None:
        raise Unauthorized(
            ErrorCode.WORKER_TOKEN,
            "This is a run worker's token. Use your own: log in or create an API token.",
        )
    kind = Admin if account.is_admin and Scope.ADMIN in row.scopes else User
    scopes = frozenset(row.scopes) - (frozenset() if account.is_admin else {Scope.ADMIN})
    return kind(
        id=account.id,
        name=account.name,
        is_admin=account.is_admin,
        scopes=scopes,
        token_id=row.id,
        token_ends=row.expires_at if row.kind is TokenKind.API else None,
    )


def authenticate_admin(session: Session, token: str | None) -> Admin:
    """The admin whose token this is.

    Raises:
        Unauthorized: as for users.
        Forbidden: not an admin, or a token without the scope.
    """
    user = authenticate_user(session, token)
    if not isinstance(user, Admin):
        raise Forbidden(ErrorCode.ADMINS_ONLY, "Only an admin, with a token of scope 'admin', may do this.")
    return user


def authenticate_run_worker(session: Session, token: str | None) -> RunWorker:
    """The run worker whose token this is.

    Raises:
        Unauthorized: no token, or not a valid run worker's.
    """
    row, account = _authenticate(session, token)
    if account is not None:
        raise Unauthorized(
            ErrorCode.NOT_A_WORKER, "This is a person's token. Run workers need one of their own."
        )
    return RunWorker(id=row.id, name=row.name, slots=row.slots, drains=row.draining_since is not None)


def require_scope(user: User, scope: str) -> None:
    """Refuses a token that does not allow this.

    Raises:
        Forbidden: the scope is missing.
    """
    if scope not in user.scopes:
        raise Forbidden(
            ErrorCode.SCOPE_MISSING, f"This token lacks the scope '{scope}'. Create a token that has it."
        )


def _authenticate(session: Session, token: str | None) -> tuple[ApiToken, Account | None]:
    if not token:
        raise Unauthorized(
            ErrorCode.NOT_SIGNED_IN, "Send a token: 'Authorization: Bearer …'. Log in or create one first."
        )
    found = session.execute(
        select(ApiToken, Account, ApiToken.expires_at <= func.now())
        .outerjoin(Account, Account.id == ApiToken.user_id)
        .where(tokens.shown_as(token_hash(token)))
    ).one_or_none()
    if found is None:
        raise Unauthorized(
            ErrorCode.INVALID_TOKEN, "This token is unknown. Check that it was copied whole, or log in again."
        )
    row, account, expired = found
    if row.revoked_at is not None:
        raise Unauthorized(
            ErrorCode.TOKEN_REVOKED, "This token was revoked. Log in again or create a new one."
        )
    if account is not None and account.closed_at is not None:
        raise Unauthorized(
            ErrorCode.ACCOUNT_CLOSED,
            "This account is closed. Ask the organizers if it is to be opened again.",
        )
    if expired:
        raise Unauthorized(
            ErrorCode.TOKEN_EXPIRED, "This token has expired. Log in again or create a new one."
        )
    return row, account
