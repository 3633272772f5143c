"""Log-ins: bounded so that guessing is hopeless and yet nobody's guesses shut somebody else out.

A log-in has three steps, because a password takes a while and no database connection is to wait for it: `begin` counts
it, `hashing.verifies` looks at the password, `finish` opens the session.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import UserId
from contract.problems import ErrorCode
from server.accounts import devices, tallies
from server.accounts.models import Account, ApiToken, TokenKind
from server.accounts.tallies import Bound
from server.accounts.tokens import LIVE, issue
from server.errors import Conflict, Forbidden, NotNow, Unauthorized

SESSION_LASTS = timedelta(hours=12)
SESSIONS = 20
"""Sessions that a person has at a time; the oldest ends for one more."""
_SESSIONS_KEPT = timedelta(days=30)

# From a device that is known for this address.
DEVICE = Bound("device", 10, timedelta(minutes=15), by_anybody=False)
DEVICE_DAILY = Bound("device-daily", 100, timedelta(days=1), by_anybody=False)
# From anywhere else. A right password gives back what it took.
SOURCE = Bound("source", 100, timedelta(minutes=15))
ADDRESS_FROM_SOURCE = Bound("address-from-source", 10, timedelta(minutes=15))
ADDRESS_FROM_SOURCE_DAILY = Bound("address-from-source-daily", 30, timedelta(days=1))
ADDRESS_DAILY = Bound("address-daily", 300, timedelta(days=1))


@dataclass(frozen=True)
class LogIn:
    """A log-in that was counted. `stored` is the password as it is kept, None where there is no such account."""

    email: str
    source: str
    device: str | None
    account_id: UserId | None
    stored: str | None

    @property
    def is_known(self) -> bool:
        """Whether it comes from a device that is known for this address."""
        return self.device is not None


@dataclass(frozen=True)
class Opened:
    """A new session, and what the device shows at its next log-in."""

    token: str
    expires_at: datetime
    device: str


def begin(
    session: Session, *, email: str, source: str, shown: str | None, key: str, per_source: int
) -> LogIn:
    """Counts a log-in before its password is looked at, so that parallel guesses count too.

    The caller commits this on its own: a refused log-in must not undo its count.

    Raises:
        NotNow: too many; known and unknown addresses alike.
    """
    email = email.lower()
    device = devices.known(key, email, shown)
    if device is None or not _counted_for_device(session, device):
        device = None
        _count_for_stranger(session, email, source, per_source)
    tallies.prune(session)
    account = session.execute(
        select(Account.id, Account.password_hash).where(Account.email == email)
    ).one_or_none()
    id_, stored = account or (None, None)
    return LogIn(email, source, device, id_, stored)


def finish(session: Session, log_in: LogIn, *, key: str, renewed: str | None = None) -> Opened:
    """Opens the session of a log-in whose password was right; `renewed` is the password stored with today's parameters.

    Raises:
        Conflict: the password was changed meanwhile.
        Forbidden: the account is closed.
    """
    account = session.scalar(select(Account).where(Account.id == log_in.account_id).with_for_update())
    if account is None or account.password_hash != log_in.stored:
        raise password_changed()
    opened = open_session(session, account.id, key=key, device=log_in.device)
    account.password_hash = renewed or account.password_hash
    _give_back(session, log_in)
    return opened


def open_session(session: Session, user_id: UserId, *, key: str, device: str | None = None) -> Opened:
    """A session for somebody who has shown who they are.

    Raises:
        Forbidden: the account is closed.
    """
    account = session.scalars(select(Account).where(Account.id == user_id).with_for_update()).one()
    if account.closed_at is not None:
        raise Forbidden(
            ErrorCode.ACCOUNT_CLOSED,
            "This account is closed. Ask the organizers if it is to be opened again.",
        )
    _end_surplus(session, account.id)
    scopes = [Scope.READ, Scope.SUBMIT, Scope.ORGANIZE, *([Scope.ADMIN] if account.is_admin else [])]
    token, row = issue(
        session, TokenKind.SESSION, name="log-in", user_id=account.id, scopes=scopes, lasts=SESSION_LASTS
    )
    assert row.expires_at is not None  # noqa: S101 - issued with a duration
    return Opened(token, row.expires_at, devices.sign(key, account.email, device))


def refused() -> Unauthorized:
    """The answer to a wrong password and to an unknown address."""
    return Unauthorized(ErrorCode.WRONG_CREDENTIALS, "The e-mail address or the password is wrong.")


def password_changed() -> Conflict:
    """The answer where a right password was changed while it was looked at."""
    return Conflict(
        ErrorCode.PASSWORD_CHANGED, "The password was changed at this very moment. Try once more."
    )


def forget_attempts(session: Session, email: str, source: str) -> None:
    """Somebody who has shown who they are may log in at once from there, however often it was tried before."""
    for bound, of in _strangers(email.lower(), source)[1:]:
        tallies.forget(session, bound, *of)


def _counted_for_device(session: Session, device: str) -> bool:
    """False where the device has guessed too often: from then on it is a stranger like any other."""
    waits = [tallies.count(session, bound, device) for bound in (DEVICE, DEVICE_DAILY)]
    return not any(waits)


def _count_for_stranger(session: Session, email: str, source: str, per_source: int) -> None:
    here = ". If you have logged in here before, log in on the device that you used then"
    for bound, of in _strangers(email, source):
        bound = bound.at(per_source) if bound is SOURCE else bound
        wait = tallies.count(session, bound, *of)
        if wait is None:
            continue
        if bound.name == SOURCE.name:
            raise NotNow(
                ErrorCode.TOO_MANY_LOG_INS,
                tallies.later("Too many wrong log-ins from your network.", wait, here),
                seconds=wait.total_seconds(),
            )
        raise NotNow(
            ErrorCode.TOO_MANY_LOG_INS,
            tallies.later("Too many log-ins for this address.", wait, here),
            seconds=wait.total_seconds(),
        )


def _strangers(email: str, source: str) -> list[tuple[Bound, tuple[str, ...]]]:
    """What a log-in from an unknown device is counted in; always in this order, so that two never block each other."""
    return [
        (SOURCE, (source,)),
        (ADDRESS_FROM_SOURCE, (source, email)),
        (ADDRESS_FROM_SOURCE_DAILY, (source, email)),
        (ADDRESS_DAILY, (email,)),
    ]


def _give_back(session: Session, log_in: LogIn) -> None:
    if log_in.device is not None:
        for bound in (DEVICE, DEVICE_DAILY):
            tallies.forget(session, bound, log_in.device)
        return
    (shared, source), *own, (daily, address) = _strangers(log_in.email, log_in.source)
    tallies.give_back(session, shared, *source)
    for bound, of in own:
        tallies.forget(session, bound, *of)
    tallies.give_back(session, daily, *address)


def _end_surplus(session: Session, user_id: UserId) -> None:
    """Makes room for one more session, and removes the rows of those that ended long ago."""
    mine = (ApiToken.user_id == user_id, ApiToken.kind == TokenKind.SESSION)
    session.execute(delete(ApiToken).where(*mine, ApiToken.created_at < func.now() - _SESSIONS_KEPT))
    live = select(ApiToken.id).where(*mine, *LIVE).order_by(ApiToken.id.desc()).offset(SESSIONS - 1)
    session.execute(
        update(ApiToken)
        .where(ApiToken.id.in_(live.scalar_subquery()))
        .values(revoked_at=func.now())
        .execution_options(synchronize_session=False)
    )
