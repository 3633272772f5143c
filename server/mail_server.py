"""The mail server that an installation sends through, as one address: `smtp://user:password@host:587?starttls`."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit


class Encryption(StrEnum):
    """How a connection to a mail server is kept from being read."""

    TLS = "tls"  # from the first byte, smtps://
    STARTTLS = "starttls"  # after a greeting
    NONE = "none"  # for a server on this host or network


_PORTS = {Encryption.TLS: 465, Encryption.STARTTLS: 587, Encryption.NONE: 25}


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and as whom; without `user` nobody logs in."""

    host: str
    port: int
    encryption: Encryption
    user: str | None
    password: str | None


def mail_server(url: str) -> MailServer:
    """What an address says.

    Raises:
        ValueError: it is none; the sentence does not repeat it, for it may hold a password.
    """
    wrong = ValueError(
        "has to be smtp://user:password@host:587?starttls, smtps://user:password@host:465 or smtp://host:25"
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise wrong
    if parts.query not in ("", "starttls") or (parts.query and parts.scheme == "smtps"):
        raise wrong
    if (parts.username is None) != (parts.password is None):
        raise ValueError("has to name a user and a password, or neither")
    encryption = Encryption.TLS if parts.scheme == "smtps" else Encryption(parts.query or "none")
    return MailServer(
        parts.hostname,
        port or _PORTS[encryption],
        encryption,
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )
