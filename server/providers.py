"""Who may vouch for people beside passwords: providers of OpenID Connect or OAuth 2.0, as settings name them."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("has to be an address such as https://login.example")
    if parts.scheme == "http" and not is_this_machine(parts.hostname):
        raise ValueError("has to begin with https://: secrets go there")
    return value


def is_this_machine(host: str) -> bool:
    """Whether `host` names this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Address = Annotated[str, Field(max_length=2000), AfterValidator(_address)]


class Provider(BaseModel):
    """One provider: of OpenID Connect by its `issuer`, of plain OAuth 2.0 by three endpoints.

    `client_id` and the secret, here or in `client_secret_file`, are what the provider gave this installation. `subject`
    names the field of the answer of `user_endpoint` that is a person's for ever.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    title: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    client_id: Annotated[str, Field(min_length=1, max_length=500)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    issuer: Address | None = None
    authorization_endpoint: Address | None = None
    token_endpoint: Address | None = None
    user_endpoint: Address | None = None
    scopes: tuple[str, ...] = ()
    subject: str = "id"

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        plain = (self.authorization_endpoint, self.token_endpoint, self.user_endpoint)
        if (self.issuer is None) != all(plain) or (self.issuer and any(plain)):
            raise ValueError(
                "takes either issuer, or all of authorization_endpoint, token_endpoint and user_endpoint"
            )
        return self

    @property
    def called(self) -> str:
        """What people call it."""
        return self.title or self.name

    @property
    def named_hosts(self) -> frozenset[str]:
        """The hosts that whoever runs the installation named: wherever they lie, they are meant."""
        named = (self.issuer, self.token_endpoint, self.user_endpoint)
        return frozenset(urlsplit(address).hostname or "" for address in named if address)

    @property
    def secret(self) -> str | None:
        """The secret; a file is read anew each time, so that another one takes effect at once.

        Raises:
            OSError: its file cannot be read.
        """
        if self.client_secret_file is not None:
            return self.client_secret_file.read_text(encoding="utf-8").strip()
        return None if self.client_secret is None else self.client_secret.get_secret_value()
