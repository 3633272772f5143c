"""Bearer tokens: 256 random bits behind a prefix that secret scanners find, kept as a sha256 only."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import TokenId, UserId
from contract.problems import ErrorCode
from server import events
from server.accounts import tallies
from server.accounts.models import ApiToken, TokenKind
from server.accounts.principals import Admin, User
from server.accounts.tallies import Bound
from server.errors import Conflict, Forbidden, NotFound, NotNow, Unauthorized

_PREFIXES = {TokenKind.SESSION: "prs_", TokenKind.API: "prc_", TokenKind.WORKER: "prw_"}
_TOKENS_PER_USER = 100
LOCAL = "local"
"""The name of the run workers that `up` starts; they share one token, in a file that they read again."""
NEW_TOKENS = Bound("tokens", 200, timedelta(days=1), by_anybody=False)
_ENDED_KEPT = timedelta(days=90)
LIVE = (ApiToken.revoked_at.is_(None), or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now()))
"""What a token that has not ended meets."""


def shown_as(hashed: str) -> ColumnElement[bool]:
    """Whether this is a token's hash: its own, or the one before it for as long as that works too."""
    return or_(
        ApiToken.hash == hashed, and_(ApiToken.old_hash == hashed, ApiToken.old_hash_until > func.now())
    )


def token_hash(token: str) -> str:
    """How a token is stored. It has 256 random bits, so a plain hash cannot be turned round."""
    return hashlib.sha256(token.encode()).hexdigest()


def issue(
    session: Session,
    kind: TokenKind,
    *,
    name: str,
    user_id: UserId | None = None,
    scopes: Collection[str] = (),
    lasts: timedelta | None = None,
    token: str | None = None,
) -> tuple[str, ApiToken]:
    """A new token and its row; `token` sets it, otherwise it is drawn."""
    token = token or _PREFIXES[kind] + secrets.token_urlsafe(32)
    row = ApiToken(kind=kind, user_id=user_id, name=name, hash=token_hash(token), scopes=sorted(scopes))
    if lasts is not None:
        row.expires_at = func.now() + lasts
    session.add(row)
    session.flush()
    session.refresh(row)
    return token, row


def create_api_token(
    session: Session, user: User, *, name: str, scopes: Collection[str], expires_in_days: int | None = None
) -> tuple[str, ApiToken]:
    """A token for a script, with at most the scopes of the token that asks for it.

    One that an API token asks for is its child: it ends with it and no later. One that a session asks for stands alone.

    Raises:
        Forbidden: more than the asking token allows, or one that may only read.
        Conflict: too many tokens.
        NotNow: too many within a day.
        Unauthorized: the asking token has ended meanwhile.
    """
    wanted = {*scopes, Scope.READ}
    beyond = sorted(wanted - user.scopes)
    if Scope.SUBMIT not in user.scopes or beyond:
        missing = ", ".join(beyond or [Scope.SUBMIT])
        raise Forbidden(
            ErrorCode.SCOPE_MISSING, f"Your own token lacks: {missing}. Log in and ask for what you may give."
        )
    parent = _asking(session, user)
    if len(list_tokens(session, user)) >= _TOKENS_PER_USER:
        raise Conflict(
            ErrorCode.TOO_MANY_TOKENS,
            f"You have {_TOKENS_PER_USER} valid tokens. Revoke one you do not need.",
        )
    wait = tallies.count(session, NEW_TOKENS, user.id)
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_NEW_TOKENS,
            tallies.later("You have made too many tokens within a day.", wait),
            seconds=wait.total_seconds(),
        )
    _remove_ended(session, user)
    lasts = timedelta(days=expires_in_days) if expires_in_days is not None else None
    token, row = issue(session, TokenKind.API, name=name, user_id=user.id, scopes=wanted, lasts=lasts)
    if parent.kind is TokenKind.API:
        row.parent_id = parent.id
        row.expires_at = min(filter(None, (row.expires_at, parent.expires_at)), default=None)
    events.record(session, "token", row.id, actor=user.actor, what="created", why=_asked_by(parent))
    return token, row


def _asking(session: Session, user: User) -> ApiToken:
    """The token that asks; whoever revokes it waits for this unit of work, and ends what it has made."""
    row = session.scalar(
        select(ApiToken).where(ApiToken.id == user.token_id, *LIVE).with_for_update(read=True)
    )
    if row is None:
        raise Unauthorized(
            ErrorCode.TOKEN_REVOKED, "This token was revoked. Log in again or create a new one."
        )
    return row


def _asked_by(parent: ApiToken) -> str | None:
    return f"token:{parent.id}" if parent.kind is TokenKind.API else None


def _remove_ended(session: Session, user: User) -> None:
    """Removes this person's tokens that ended long ago; the event log keeps that they were."""
    old = func.now() - _ENDED_KEPT
    session.execute(
        delete(ApiToken).where(
            ApiToken.user_id == user.id,
            ApiToken.kind == TokenKind.API,
            or_(ApiToken.revoked_at < old, ApiToken.expires_at < old),
        )
    )


def list_tokens(session: Session, user: User) -> Sequence[ApiToken]:
    """The user's API tokens that are valid, oldest first."""
    return session.scalars(
        select(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.kind == TokenKind.API, *LIVE)
        .order_by(ApiToken.id)
    ).all()


def revoke_token(session: Session, user: User, token_id: TokenId) -> None:
    """Ends one of the user's own tokens and all that were made with it; a second time does nothing.

    Raises:
        Forbidden: with a token that may only read.
        NotFound: the user has no such token.
    """
    if Scope.SUBMIT not in user.scopes:
        raise Forbidden(
            ErrorCode.SCOPE_MISSING, "A token that may only read revokes none. Log in to revoke this one."
        )
    row = session.get(ApiToken, token_id)
    if row is None or row.user_id != user.id:
        raise NotFound(ErrorCode.UNKNOWN_TOKEN, "You have no such token. GET /tokens lists yours.")
    _end_with_children(session, row.id, actor=user.actor)


def _end_with_children(session: Session, token_id: TokenId, *, actor: str) -> None:
    """One generation at a time: a child that is being made holds its parent's row, so the next look sees it."""
    generation, by_parent = [token_id], False
    while generation:
        which = ApiToken.parent_id if by_parent else ApiToken.id
        ended = session.execute(
            update(ApiToken)
            .where(which.in_(generation))
            .values(revoked_at=func.coalesce(ApiToken.revoked_at, func.now()))
            .returning(ApiToken.id, ApiToken.revoked_at == func.now())
        ).all()
        for token, now in ended:
            if now:
                events.record(session, "token", token, actor=actor, what="revoked")
        generation, by_parent = [token for token, _ in ended], True


def create_worker_token(
    session: Session,
    name: str,
    *,
    token: str | None = None,
    slots: int | None = None,
    actor: str = events.PLATFORM,
) -> str:
    """A run worker's token. A name that exists gets the new token instead of its old one and keeps its id.

    slots: how many slots it may have at once; without, as many as before.
    """
    row = _worker(session, name)
    if row is None:
        if token is not None and _is_known(session, token):
            token = None  # it was revoked, and must not come back
        token, row = issue(session, TokenKind.WORKER, name=name, token=token)
        row.slots = slots or row.slots
    else:
        row.slots = slots or row.slots
        token = token or _PREFIXES[TokenKind.WORKER] + secrets.token_urlsafe(32)
        if row.hash == token_hash(token):
            return token
        row.hash, row.issued_at = token_hash(token), func.now()
        row.old_hash = row.old_hash_until = None
    events.record(session, "worker", row.id, actor=actor, what="token issued")
    return token


def add_worker(session: Session, admin: Admin, *, name: str, slots: int) -> str:
    """A token for a new run worker.

    Raises:
        Conflict: a worker of this name exists.
    """
    if _worker(session, name) is not None:
        raise Conflict(
            ErrorCode.WORKER_EXISTS,
            "A run worker of this name exists. Revoke its token first, or take another name.",
        )
    _asking(session, admin)
    token, row = issue(session, TokenKind.WORKER, name=name)
    row.slots = slots
    row.made_by = admin.id
    events.record(session, "worker", row.id, actor=admin.actor, what="token issued")
    return token


def revoke_worker(session: Session, worker_id: TokenId, *, actor: str) -> None:
    """Shuts a run worker out; a second time does nothing.

    Raises:
        NotFound: there is no such worker.
    """
    row = worker_row(session, worker_id)
    if row.revoked_at is None:
        row.revoked_at = func.now()
        events.record(session, "worker", row.id, actor=actor, what="revoked")


def rotate_worker(session: Session, worker_id: TokenId, *, minutes: int, actor: str) -> str:
    """A new token for a run worker, whose present one works for so many minutes more.

    Raises:
        NotFound: there is no such worker.
        Conflict: its token was revoked, or is that of the server's own machine.
    """
    row = worker_row(session, worker_id)
    if row.name == LOCAL:
        raise Conflict(
            ErrorCode.LOCAL_WORKER,
            "The run workers that 'up' starts read their token from a file on the server's machine: 'proctor-admin "
            "worker-token local' there replaces it, and they go on with it by themselves.",
        )
    if row.revoked_at is not None:
        raise Conflict(
            ErrorCode.WORKER_REVOKED,
            f"The token of {row.name} was revoked and does not come back. Make a new one: 'proctor-admin worker-token "
            f"{row.name}', or POST /admin/workers.",
        )
    token = _PREFIXES[TokenKind.WORKER] + secrets.token_urlsafe(32)
    row.old_hash, row.old_hash_until = row.hash, func.now() + timedelta(minutes=minutes)
    row.hash = token_hash(token)
    what = f"token rotated, the old one works for {minutes} more minutes"
    events.record(session, "worker", row.id, actor=actor, what=what)
    return token


def worker_row(session: Session, worker_id: TokenId) -> ApiToken:
    """A run worker's row, locked.

    Raises:
        NotFound: there is no such worker.
    """
    row = session.get(ApiToken, worker_id, with_for_update=True)
    if row is None or row.kind is not TokenKind.WORKER:
        raise NotFound(
            ErrorCode.UNKNOWN_WORKER, "There is no such run worker. GET /admin/workers lists them."
        )
    return row


def _is_known(session: Session, token: str) -> bool:
    hashed = token_hash(token)
    known = or_(ApiToken.hash == hashed, ApiToken.old_hash == hashed)
    return session.scalar(select(ApiToken.id).where(known)) is not None


def _worker(session: Session, name: str) -> ApiToken | None:
    return session.scalar(
        select(ApiToken)
        .where(ApiToken.kind == TokenKind.WORKER, ApiToken.name == name, ApiToken.revoked_at.is_(None))
        .with_for_update()
    )
