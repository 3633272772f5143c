"""Registration: who may have an account, and who becomes the first admin."""

import hmac
from datetime import timedelta

from sqlalchemy import exists, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from server import events
from server.accounts import tallies
from server.accounts.models import Account
from server.accounts.service import FIRST_ADMIN_LOCK, set_admin
from server.accounts.tallies import Bound
from server.errors import Conflict, Forbidden, NotNow, Unprocessable
from server.names import is_reserved

FROM_SOURCE = Bound("registrations", 200, timedelta(hours=1))
FROM_ANYWHERE = Bound("all-registrations", 2000, timedelta(hours=1))


def count_registration(session: Session, *, source: str, per_source: int, per_hour: int) -> None:
    """Counts a registration before its password is hashed; the caller commits this on its own.

    Raises:
        NotNow: too many from this source, or in all.
    """
    wait = tallies.count(session, FROM_SOURCE.at(per_source), source)
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_REGISTRATIONS,
            tallies.later("Too many new accounts from your network.", wait),
            seconds=wait.total_seconds(),
        )
    wait = tallies.count(session, FROM_ANYWHERE.at(per_hour))
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_REGISTRATIONS,
            tallies.later("Too many new accounts at this time.", wait),
            seconds=wait.total_seconds(),
        )
    tallies.prune(session)


def require_registrable(session: Session, *, email: str, name: str, as_admin: bool) -> None:
    """Refuses an address that has an account, open or closed, and a name that only an admin may have.

    Raises:
        Unprocessable: such a name.
        Conflict: the address has an account.
    """
    if is_reserved(name) and not as_admin:
        raise Unprocessable(
            ErrorCode.RESERVED_NAME, f"The name {name} is kept for the organizers. Register with your own."
        )
    if session.scalar(select(exists().where(Account.email == email.lower()))):
        raise email_taken()


def register(
    session: Session,
    *,
    email: str,
    name: str,
    password_hash: str,
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
        .values(email=email.lower(), name=name, password_hash=password_hash, is_admin=is_admin)
        .on_conflict_do_nothing(index_elements=["email"])
        .returning(Account)
    )
    if row is None:
        raise email_taken()
    events.record(
        session,
        "user",
        row.id,
        actor=f"user:{row.id}",
        what="registered",
        why="as admin" if is_admin else None,
    )
    return row


def email_taken() -> Conflict:
    """The refusal of an address that has an account."""
    return Conflict(
        ErrorCode.EMAIL_TAKEN, "This e-mail address has an account. Log in, or register another address."
    )


def _check_setup_token(session: Session, given: str, expected: str | None) -> None:
    if expected is None or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Forbidden(
            ErrorCode.WRONG_SETUP_TOKEN,
            "The setup token is wrong. Leave it out to register as a participant.",
        )
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": FIRST_ADMIN_LOCK})
    if session.scalar(select(exists().where(Account.is_admin))):
        raise Forbidden(
            ErrorCode.SETUP_DONE,
            "There is an admin already, so the setup token no longer works. Register without it.",
        )


def make_admin(session: Session, *, email: str, name: str, password_hash: str, actor: str) -> Account:
    """A new account that is an admin's.

    Raises:
        Conflict: the address has an account.
    """
    account = register(session, email=email, name=name, password_hash=password_hash)
    account.verified_at = func.now()  # who makes one on the machine itself knows whose address it is
    set_admin(session, account.id, is_admin=True, actor=actor)
    return account
