"""What is sent and answered of accounts, log-ins and tokens."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StrictBool, StringConstraints, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from contract.answers import Answer, Id, Older
from contract.bounds import Few
from contract.texts import BREAKS_LINES, Line, line, printable

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value) or not value.isprintable():
        raise ValueError("not an e-mail address")
    return value


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=254),
    AfterValidator(line),
    AfterValidator(_address),
    Field(json_schema_extra={"pattern": f"^[^@\\s{BREAKS_LINES}]+@[^@\\s{BREAKS_LINES}]+$"}),
]


Label = Annotated[str, Line(100, least=1, strip=True), AfterValidator(printable)]
"""What somebody calls a thing that nobody else sees by its name, such as a token."""
Password = Annotated[str, Field(min_length=10, max_length=256)]
_Secret = Annotated[str, Field(pattern=r"^[!-~]{1,1000}$"), WithJsonSchema({"type": "string"})]
"""What is sent back in a header: a server that gives out anything else is none of ours."""

ENDS_SOON = timedelta(days=14)
TOKEN_ENDS = "Proctor-Token-Expires"  # noqa: S105 - a header, and no token
"""The header of answers to an API token that ends within that time: when, as ISO 8601."""

DEFAULT_SLOTS = 64
"""Slots that a run worker may have at once, unless its token says another number."""


class Scope(StrEnum):
    """What a token allows; every token may read."""

    READ = "read"
    SUBMIT = "submit"  # everything a participant changes: teams, uploads, submissions, tokens
    ORGANIZE = "organize"  # decisions in the challenges that its person organizes
    ADMIN = "admin"  # an admin's powers, for admins only


class Registration(BaseModel):
    """A new account; `setup_token` makes it the first admin, who may have a name that others may not."""

    email: Email
    name: Annotated[str, Line(100, least=1, strip=True)]
    password: Password
    setup_token: Annotated[str, Line(200)] | None = None


class AccountOut(Answer):
    """An account as its owner sees it."""

    id: Id
    email: str
    name: str
    is_admin: bool
    created_at: datetime
    verified_at: Annotated[datetime | None, Older(None)]


class Credentials(BaseModel):
    """A log-in. `device`: what the last log-in here answered, so that others' wrong ones do not count."""

    email: Email
    password: Annotated[str, Field(max_length=256)]
    device: Annotated[str, Line(200)] | None = None


class PasswordChange(BaseModel):
    """Another password for oneself; `revoke_tokens` ends one's API tokens too."""

    old_password: Annotated[str, Field(max_length=256)]
    new_password: Password
    revoke_tokens: StrictBool = False


class PasswordResetIn(BaseModel):
    """A new password, with the code that an admin gave out or that came by mail."""

    email: Email
    code: Annotated[str, Line(100)]
    password: Password


class AddressIn(BaseModel):
    """An address."""

    email: Email


class AddressCode(BaseModel):
    """An address, and the code that went to it."""

    email: Email
    code: Annotated[str, Line(100)]


class AddressChange(BaseModel):
    """The address that one wants to have, and one's password."""

    email: Email
    password: Annotated[str, Field(max_length=256)]


class PasswordResetOut(Answer):
    """A code for a person that is shown this once: it sets a new password, or shows whose an address is."""

    code: str
    expires_at: datetime


class SessionOut(Answer):
    """A session token; it is shown this once. `device` is to be sent along at the next log-in."""

    token: _Secret
    expires_at: datetime
    device: Annotated[str | SkipJsonSchema[None], Older(None)]


class OpenSession(Answer):
    """A session that has not ended; `current` is the one that asks.

    `last_used_at` and `network`: the last use, to the quarter of an hour and to the network, as 192.0.2.0/24.
    """

    id: Id
    created_at: datetime
    expires_at: datetime | None
    current: Annotated[bool, Older(False)]
    last_used_at: Annotated[datetime | None, Older(None)]
    network: Annotated[str | None, Older(None)]


class Closing(BaseModel):
    """One's password, to close one's account."""

    password: Annotated[str, Field(max_length=256)]


class TokenIn(BaseModel):
    """A new API token."""

    name: Label
    scopes: Annotated[list[Scope], Few(len(Scope), least=1)] = [Scope.READ, Scope.SUBMIT]
    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=730)] | None = None


class TokenOut(Answer):
    """A token without its secret. `parent_id`: the API token that it was made with, and ends with.

    `last_used_at` and `network`: the last use, to the quarter of an hour and to the network, as 192.0.2.0/24.
    """

    id: Id
    parent_id: Annotated[Id | None, Older(None)]
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Older(None)]
    network: Annotated[str | None, Older(None)]


class NewTokenOut(TokenOut):
    """A token with its secret, shown this once."""

    token: _Secret


class WorkerIn(BaseModel):
    """A new run worker; `slots`: how many it may have at once."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", max_length=63)]
    slots: Annotated[int, Field(ge=1, le=1000)] = DEFAULT_SLOTS


class NewWorkerOut(Answer):
    """A run worker's token, shown this once."""

    name: str
    token: str
