"""Log-ins through a provider, from their beginning to a session, and identities that are linked to accounts.

An identity belongs to an account because its person logged in to it, or made it with that identity. An address that is
the same makes nothing belong to anybody: whoever got there first might have registered somebody else's.
"""

import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from contract.accounts import Scope
from contract.ids import SignInId
from contract.problems import ErrorCode
from server import events
from server.accounts import log_ins, tallies
from server.accounts.log_ins import Opened
from server.accounts.models import Account, Identity
from server.accounts.passwords import no_password
from server.accounts.principals import User
from server.accounts.registration import register, require_registrable
from server.accounts.service import locked, require_scope, require_session
from server.accounts.tallies import Bound
from server.accounts.tokens import token_hash
from server.errors import Forbidden, Gone, NotFound, NotNow
from server.sign_in.models import SignIn
from server.sign_in.relying import Claimed

LASTS = timedelta(minutes=10)
FROM_SOURCE = Bound("sign-ins", 100, timedelta(minutes=15))
_TRIES = 5
# Letters and digits that nobody takes for another.
_TYPED = "BCDFGHJKLMNPQRSTVWXZ23456789"
_TYPED_LETTERS = 8
_MOST_IDENTITIES = 20


@dataclass(frozen=True)
class Begun:
    """A log-in that waits: `secret` for whoever asked, `page` for the browser, `code` for the person to type."""

    secret: str
    page: str
    code: str
    expires_at: datetime


@dataclass(frozen=True)
class Leaving:
    """What a browser takes along to the provider."""

    state: str
    browser: str
    nonce: str
    verifier: str


def count_sign_in(session: Session, *, source: str) -> None:
    """Counts a log-in that begins; the caller commits this on its own.

    Raises:
        NotNow: too many from this source.
    """
    wait = tallies.count(session, FROM_SOURCE, source)
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_SIGN_INS,
            tallies.later("Too many log-ins through a provider were begun from your network.", wait),
            seconds=wait.total_seconds(),
        )
    tallies.prune(session)


def begin(
    session: Session, provider: str, *, offered: Collection[str], asked_by: str, user: User | None = None
) -> Begun:
    """A log-in through a provider, or with `user` an identity that is to be linked to that account.

    Raises:
        Forbidden: with an API token, for whoever has the identity gets sessions of every scope.
        NotFound: nobody logs in through such a provider.
    """
    if user is not None:
        require_scope(user, Scope.SUBMIT)
        require_session(session, user)
    if provider not in offered:
        raise NotFound(
            ErrorCode.UNKNOWN_PROVIDER,
            f"Nobody logs in through {provider!r} here. "
            + (f"There is: {', '.join(offered)}." if offered else "People log in with their passwords."),
        )
    session.execute(delete(SignIn).where(SignIn.expires_at <= func.now()))
    secret, page = "pro_" + secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    code = "".join(secrets.choice(_TYPED) for _ in range(_TYPED_LETTERS))
    row = SignIn(
        provider=provider,
        user_id=user.id if user else None,
        secret_hash=token_hash(secret),
        page_hash=token_hash(page),
        typed=token_hash(code),
        asked_by=asked_by,
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(64),
    )
    row.expires_at = func.now() + LASTS  # on the database's clock
    session.add(row)
    session.flush()
    session.refresh(row)
    return Begun(secret, page, f"{code[:4]}-{code[4:]}", row.expires_at)


def waiting(session: Session, page: str) -> SignIn:
    """The log-in that a browser opens the page of; nobody else goes on with it meanwhile.

    Raises:
        Gone: it was opened by another browser, or is over.
    """
    row = _live(session, SignIn.page_hash, page)
    if row.state_hash is not None:
        raise over()
    return row


def leave(session: Session, page: str, typed: str) -> Leaving | None:
    """Lets the browser go on to the provider, if its person typed what the terminal shows; None if they did not.

    Raises:
        Gone: it is over, as after some wrong tries.
    """
    row = waiting(session, page)
    plain = "".join(letter for letter in typed.upper() if letter.isalnum())
    if not hmac.compare_digest(row.typed, token_hash(plain)):
        row.tries += 1
        if row.tries >= _TRIES:
            session.delete(row)
        return None
    leaving = Leaving(secrets.token_urlsafe(32), secrets.token_urlsafe(32), row.nonce, row.verifier)
    row.state_hash, row.browser_hash = token_hash(leaving.state), token_hash(leaving.browser)
    return leaving


def returning(session: Session, provider: str, *, state: str, browser: str | None) -> SignIn:
    """The log-in whose browser came back; it comes back once.

    Raises:
        Gone: it was another browser's or another provider's, it came back before, or is over.
    """
    row = _live(session, SignIn.state_hash, state)
    if row.provider != provider or not hmac.compare_digest(row.browser_hash or "", token_hash(browser or "")):
        raise over()
    row.browser_hash = None
    return row


def conclude(session: Session, sign_in_id: SignInId, claimed: Claimed) -> str | None:
    """Keeps who the provider says somebody is, and links the identity where its person asked for that.

    Returns why it was not linked, which is kept too.

    Raises:
        Gone: it is over.
    """
    row = _live(session, SignIn.id, sign_in_id)
    row.subject, row.name = claimed.subject, claimed.name
    row.email, row.email_verified = claimed.email, claimed.email_verified
    if row.user_id is None:
        return None
    locked(session, row.user_id)
    linked = select(func.count()).where(Identity.user_id == row.user_id)
    if _whose(session, row) is None and session.scalars(linked).one() >= _MOST_IDENTITIES:
        row.refused = f"Your account has {_MOST_IDENTITIES} identities. Take one away first."
    elif _linked(session, row).user_id != row.user_id:
        row.refused = "This identity belongs to another account. Log in there and take it away first."
    return row.refused


def refuse(session: Session, sign_in_id: SignInId, why: str) -> None:
    """Ends a log-in with a sentence, which whoever waits for it is told.

    Raises:
        Gone: it is over.
    """
    _live(session, SignIn.id, sign_in_id).refused = why


def outcome(session: Session, secret: str, *, key: str) -> tuple[SignIn, Opened | None]:
    """A log-in, and its session once somebody known has come back, which it gives out once.

    Raises:
        Gone: it is over.
        Forbidden: the account is closed.
    """
    row = _live(session, SignIn.secret_hash, secret)
    if row.refused is not None:
        session.delete(row)
        return row, None
    identity = _whose(session, row) if row.subject is not None else None
    if identity is None:
        return row, None
    session.delete(row)
    return row, None if row.user_id else log_ins.open_session(session, identity.user_id, key=key)


def register_with(
    session: Session, secret: str, *, email: str, name: str, key: str
) -> tuple[Account, Opened]:
    """An account for somebody whom a provider vouched for and whom nobody knows here, and its first session.

    Raises:
        Gone: the log-in is over.
        Unprocessable: the name is kept for others.
        Conflict: the address has an account.
    """
    row = _live(session, SignIn.secret_hash, secret)
    if row.subject is None or row.user_id is not None or row.refused or _whose(session, row) is not None:
        raise over()
    require_registrable(session, email=email, name=name, as_admin=False)
    account = register(session, email=email, name=name, password_hash=no_password())
    if row.email_verified and row.email == account.email:
        account.verified_at = func.now()  # on the database's clock
    row.user_id = account.id
    _linked(session, row)
    session.delete(row)
    return account, log_ins.open_session(session, account.id, key=key)


def _linked(session: Session, row: SignIn) -> Identity:
    """The identity of a log-in: its person's from now on, unless it was somebody's before."""
    made: Identity | None = session.scalar(
        insert(Identity)
        .values(
            user_id=row.user_id,
            provider=row.provider,
            subject=row.subject,
            email=row.email if row.email_verified else None,
        )
        .on_conflict_do_nothing(index_elements=["provider", "subject"])
        .returning(Identity)
    )
    if made is not None:
        actor = f"user:{made.user_id}"
        events.record(session, "user", made.user_id, actor=actor, what="identity linked", why=row.provider)
        return made
    found = _whose(session, row)
    assert found is not None  # noqa: S101 - the conflict was with it
    return found


def _whose(session: Session, row: SignIn) -> Identity | None:
    mine = (Identity.provider == row.provider, Identity.subject == row.subject)
    return session.scalar(select(Identity).where(*mine))


def _live(session: Session, column: InstrumentedAttribute[Any], value: str | SignInId) -> SignIn:
    """The log-in that has this secret or id, as it is now; nobody else changes it meanwhile."""
    wanted = token_hash(value) if isinstance(value, str) else value
    row = session.scalar(
        select(SignIn).where(column == wanted, SignIn.expires_at > func.now()).with_for_update()
    )
    if row is None:
        raise over()
    return row


def over() -> Gone:
    """The answer about a log-in that is no more."""
    return Gone(
        ErrorCode.SIGN_IN_OVER,
        "This log-in is over: it was used, or begun in another browser, or its ten minutes have passed. Begin again.",
    )


def refused(why: str) -> Forbidden:
    """What whoever waits for a log-in is told that came to nothing."""
    return Forbidden(ErrorCode.SIGN_IN_REFUSED, why)
