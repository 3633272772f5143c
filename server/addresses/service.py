"""Addresses: registered, shown to be somebody's, changed for another, and written to where a password is forgotten."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import UserId
from contract.problems import ErrorCode
from server import events
from server.accounts import codes, tallies
from server.accounts.codes import Purpose
from server.accounts.models import Account, PasswordReset
from server.accounts.principals import User
from server.accounts.registration import email_taken
from server.accounts.service import locked, require_scope
from server.accounts.tallies import Bound
from server.addresses import mails
from server.errors import Conflict, Gone, NotNow, Unauthorized
from server.ids import new_id
from server.outbox.service import enqueue_mail, mail_is_set_up
from server.settings import Settings

# What one address is written, whoever asks; and what one network asks for.
TO_ADDRESS = Bound("mails", 5, timedelta(hours=1))
FROM_SOURCE = Bound("mails-from-source", 30, timedelta(hours=1))


@dataclass(frozen=True)
class Post:
    """What codes are signed with, and how mails call the server."""

    key: str
    server: str

    @classmethod
    def of(cls, settings: Settings) -> "Post":
        """That of an installation that sends mail.

        Raises:
            Conflict: it sends none.
        """
        if not mail_is_set_up(settings):
            raise Conflict(
                ErrorCode.NO_MAIL,
                "This server sends no mail. Ask an admin of this installation: admins verify addresses and give codes.",
            )
        return cls(settings.secret_key.get_secret_value(), settings.public_url or "this server")


def count_mail(session: Session, *, email: str, source: str) -> None:
    """Counts a mail that somebody asks for, to whatever address; the caller commits this on its own.

    Raises:
        NotNow: too many to this address or from this source, whether the address has an account or not.
    """
    for bound, of in ((FROM_SOURCE, source), (TO_ADDRESS, email.lower())):
        wait = tallies.count(session, bound, of)
        if wait is not None:
            raise NotNow(
                ErrorCode.TOO_MANY_MAILS,
                tallies.later("Too many mails were asked for.", wait),
                seconds=wait.total_seconds(),
            )
    tallies.prune(session)


def ask_whether_theirs(session: Session, user_id: UserId, settings: Settings) -> None:
    """Asks somebody new by mail whether their address is theirs, unless that is known or no mail is sent."""
    if mail_is_set_up(settings) and locked(session, user_id).verified_at is None:
        send_verification(session, user_id, Post.of(settings))


def send_verification(session: Session, user_id: UserId, post: Post) -> None:
    """Asks a person by mail whether their address is theirs.

    Raises:
        Conflict: it is known already.
    """
    account = locked(session, user_id)
    _require_unverified(account)
    code, expires_at = codes.made(post.key, Purpose.VERIFY, account.id, account.email)
    _mail(session, account, account.email, mails.to_verify(post.server, code, expires_at))


def verification_code(
    session: Session, user_id: UserId, *, key: str, actor: str
) -> tuple[Account, str, datetime]:
    """A code for an admin to send to a person's address by other means.

    Raises:
        NotFound: there is no such account.
        Conflict: the address is verified.
    """
    account = locked(session, user_id)
    _require_unverified(account)
    code, expires_at = codes.made(key, Purpose.VERIFY, account.id, account.email)
    events.record(session, "user", account.id, actor=actor, what="code to verify the address given out")
    return account, code, expires_at


def verify(session: Session, *, email: str, code: str, key: str) -> None:
    """Counts an address as verified, for whoever has the code reads its mail; a second time does nothing.

    Raises:
        Unauthorized: there is no such account, or the code is not its.
        Gone: it has run out.
    """
    account = session.scalar(select(Account).where(Account.email == email.lower()).with_for_update())
    _require_code(code, Purpose.VERIFY, account, email.lower(), key=key)
    assert account is not None  # noqa: S101 - it has the code
    if account.verified_at is None:
        _verified(session, account, actor=f"user:{account.id}")


def vouch(session: Session, user_id: UserId, *, actor: str) -> Account:
    """Counts an address as verified on an admin's word.

    Raises:
        NotFound: there is no such account.
        Conflict: it is verified.
    """
    account = locked(session, user_id)
    _require_unverified(account)
    _verified(session, account, actor=actor)
    return account


def send_reset(session: Session, email: str, post: Post) -> None:
    """Mails a code that sets a new password to an open account of this address; nobody is told whether there is one.

    None where an admin has given one out that is not used: it was for somebody to look at first.
    """
    pending = exists().where(PasswordReset.user_id == Account.id, PasswordReset.expires_at > func.now())
    account = session.scalar(
        select(Account).where(Account.email == email.lower(), Account.closed_at.is_(None), ~pending)
    )
    if account is None:
        return
    code, expires_at = codes.made(post.key, Purpose.RESET, account.id, account.email, account.password_hash)
    _mail(session, account, account.email, mails.to_reset(post.server, account.email, code, expires_at))


def send_change(session: Session, user: User, email: str, post: Post) -> None:
    """Mails a code to the address that the user wants to have; whether somebody has it is not said.

    Raises:
        Conflict: it is theirs already.
    """
    account = locked(session, user.id)
    if account.email == email:
        raise Conflict(ErrorCode.UNCHANGED, "This is your address already.")
    code, expires_at = codes.made(post.key, Purpose.CHANGE, account.id, account.email, email)
    _mail(session, account, email, mails.to_change(post.server, email, code, expires_at))


def change(session: Session, user: User, *, email: str, code: str, settings: Settings) -> Account:
    """Gives the user the address that the code went to, which is verified so; the old one is told.

    Raises:
        Forbidden: with a token that may only read.
        Unauthorized: the code is none for this address.
        Gone: it has run out.
        Conflict: the address has an account, or no mail is sent here.
    """
    require_scope(user, Scope.SUBMIT)
    post = Post.of(settings)
    account, old = locked(session, user.id), ""
    _require_code(code, Purpose.CHANGE, account, account.email, email, key=post.key)
    old, account.email = account.email, email
    account.verified_at = func.now()
    try:
        session.flush()
    except IntegrityError:  # somebody's, perhaps since a moment ago
        raise email_taken() from None
    events.record(session, "user", account.id, actor=user.actor, what="address changed")
    _mail(session, account, old, mails.changed(post.server, email))
    return account


def _require_unverified(account: Account) -> None:
    if account.verified_at is not None:
        raise Conflict(ErrorCode.UNCHANGED, f"The address {account.email} is verified already.")


def _require_code(code: str, purpose: Purpose, account: Account | None, *bound: str, key: str) -> None:
    found = account is not None and codes.holds(key, code, purpose, account.id, *bound)
    if found is None:
        raise Gone(ErrorCode.CODE_OVER, "This code has run out. Ask for a new one.")
    if not found:
        raise Unauthorized(
            ErrorCode.WRONG_CODE,
            "The code is not one for this address, or it was used. Check both, or ask for another.",
        )


def _verified(session: Session, account: Account, *, actor: str) -> None:
    account.verified_at = func.now()
    events.record(session, "user", account.id, actor=actor, what="address verified")


def _mail(session: Session, account: Account, to: str, mail: tuple[str, str]) -> None:
    subject, text = mail
    enqueue_mail(session, to=to, subject=subject, text=text, key=f"account:{new_id()}", user_id=account.id)
