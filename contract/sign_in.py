"""What is sent and answered of log-ins through a provider of OpenID Connect or OAuth 2.0."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from contract.accounts import Email, SessionOut
from contract.answers import Answer, Id, OrNewer
from contract.texts import Line

Secret = Annotated[str, Field(pattern=r"^[!-~]{1,100}$", max_length=100)]
ProviderName = Annotated[str, Line(40, least=1)]


class ProviderOut(Answer):
    """A provider by whom people log in; `title` is what they call it."""

    name: str
    title: str


class WaysOut(Answer):
    """How people get in beside their passwords: through `providers`; and whether this server sends `mail`."""

    providers: list[ProviderOut]
    mail: bool


class SignInBegin(BaseModel):
    """A log-in through a provider that begins; `asked_by` says to the person which machine asks."""

    provider: ProviderName
    asked_by: Annotated[str, Line(100)] = ""


class SignInOut(Answer):
    """A log-in that waits for its person, who opens `url` and types `code` there.

    Whoever sends `secret` to POST /sign-ins/outcome hears what came of it; `interval`: seconds between two questions.
    """

    secret: str
    url: str
    code: str
    expires_at: datetime
    interval: int


class SignInSecret(BaseModel):
    """Which log-in is meant."""

    secret: Secret


class SignInState(StrEnum):
    """Where a log-in through a provider stands."""

    WAITING = "waiting"  # the person has not come back
    SIGNED_IN = "signed_in"  # `session` is theirs
    LINKED = "linked"  # the identity belongs to the account that asked
    UNKNOWN = "unknown"  # nobody has this identity: POST /sign-ins/accounts registers


class SignInOutcome(Answer):
    """What has come of a log-in. `email` and `name`: what the provider says of somebody unknown."""

    state: Annotated[SignInState | str, OrNewer()]
    session: SessionOut | None
    email: str | None
    name: str | None


class SignInRegistration(BaseModel):
    """A new account without a password, for the identity that a provider just vouched for."""

    secret: Secret
    email: Email
    name: Annotated[str, Line(100, least=1, strip=True)]


class IdentityOut(Answer):
    """Somebody's identity at a provider. `subject` is how the provider names them."""

    id: Id
    provider: str
    subject: str
    email: str | None
    created_at: datetime
