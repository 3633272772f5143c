"""Accounts, their tokens, and counts of what was tried lately."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, false, func
from sqlalchemy.orm import Mapped, mapped_column

from contract.accounts import DEFAULT_SLOTS
from contract.ids import TokenId, UserId
from server.database import Base, Created, identity


class Account(Created, Base):
    """A person; `email` is lower case. A closed account keeps its row, for what it did stays."""

    __tablename__ = "users"

    id: Mapped[UserId] = identity()
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=false())
    closed_at: Mapped[datetime | None]
    closed_why: Mapped[str | None]


class TokenKind(StrEnum):
    """What a token was issued for."""

    SESSION = "session"  # a log-in, hours
    API = "api"  # made by a person for a script
    WORKER = "worker"  # a run worker's, belongs to nobody


class ApiToken(Created, Base):
    """A bearer token, known by its sha256 only; worker tokens have no user, but a person may have made them.

    `parent_id`: the API token that asked for this one, which ends with it; null for one that a session asked for.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        Index(
            "uq_api_tokens_worker_name",
            "name",
            unique=True,
            postgresql_where="kind = 'worker' AND revoked_at IS NULL",
        ),
    )

    id: Mapped[TokenId] = identity()
    kind: Mapped[TokenKind]
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    parent_id: Mapped[TokenId | None] = mapped_column(
        ForeignKey("api_tokens.id", ondelete="CASCADE"), index=True
    )
    made_by: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(default=list)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # A run worker's token may be replaced by another under the same id.
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Of a run worker: the token before this one, which works until then too; since when it gets no new case; and since
    # when it is put away, which lists leave out.
    old_hash: Mapped[str | None] = mapped_column(unique=True)
    old_hash_until: Mapped[datetime | None]
    draining_since: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    # How many slots a run worker may have at once.
    slots: Mapped[int] = mapped_column(default=DEFAULT_SLOTS, server_default=str(DEFAULT_SLOTS))


class Tally(Base):
    """How often something was tried in a window that ends; addresses are in it as hashes, for they may be anybody's.

    The table is named after the first thing that was counted.
    """

    __tablename__ = "log_in_attempts"

    key: Mapped[str] = mapped_column("email_hash", primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    ends: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class PasswordReset(Created, Base):
    """A code that sets a new password once, known by its sha256 only; a person has one at most."""

    __tablename__ = "password_resets"

    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str]
    expires_at: Mapped[datetime]
