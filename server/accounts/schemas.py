"""What account endpoints take and give."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from contract.bounds import Few
from contract.texts import BREAKS_LINES, Line, line
from server.accounts.principals import DEFAULT_SLOTS, Scope
from server.names import display_name

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


def printable(value: str) -> str:
    """`value`, unless a character of it would break a line or a page."""
    if not value.isprintable():
        raise ValueError("must consist of printable characters")
    return value


Label = Annotated[str, Line(100, least=1, strip=True), AfterValidator(printable)]
"""What somebody calls a thing that nobody else sees by its name, such as a token."""
Name = Annotated[str, Line(100, least=1, strip=True), AfterValidator(display_name)]
"""The name of a person."""
Password = Annotated[str, Field(min_length=10, max_length=256)]


class Registration(BaseModel):
    """A new account; `setup_token` makes it the first admin, who may have a name that others may not."""

    email: Email
    name: Name
    password: Password
    setup_token: Annotated[str, Line(200)] | None = None


class AccountOut(BaseModel):
    """An account as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    name: str
    is_admin: bool
    created_at: datetime


class Me(AccountOut):
    """Who is asking, and what the token allows."""

    scopes: list[str]


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
    """A new password, with the code that an admin gave out."""

    email: Email
    code: Annotated[str, Line(100)]
    password: Password


class PasswordResetOut(BaseModel):
    """The code that sets a new password once; it is shown this once."""

    code: str
    expires_at: datetime


class SessionOut(BaseModel):
    """A session token; it is shown this once. `device` is to be sent along at the next log-in."""

    token: str
    expires_at: datetime
    device: str


class OpenSession(BaseModel):
    """A session that has not ended; `current` is the one that asks."""

    id: UUID
    created_at: datetime
    expires_at: datetime | None
    current: bool


class Closing(BaseModel):
    """One's password, to close one's account."""

    password: Annotated[str, Field(max_length=256)]


class TokenIn(BaseModel):
    """A new API token."""

    name: Label
    scopes: Annotated[list[Scope], Few(len(Scope), least=1)] = [Scope.READ, Scope.SUBMIT]
    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=730)] | None = None


class TokenOut(BaseModel):
    """A token without its secret. `parent_id`: the API token that it was made with, and ends with."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    parent_id: UUID | None
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenOut(TokenOut):
    """A token with its secret, shown this once."""

    token: str


class WorkerIn(BaseModel):
    """A new run worker; `slots`: how many it may have at once."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", max_length=63)]
    slots: Annotated[int, Field(ge=1, le=1000)] = DEFAULT_SLOTS


class NewWorkerOut(BaseModel):
    """A run worker's token, shown this once."""

    name: str
    token: str
