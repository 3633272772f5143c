"""Which addresses webhooks may go to: never this host or network, unless the operator allows it.

What is checked is the address that the connection is made to, so a name that answers otherwise a moment later gains
nothing.
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
LONGEST_URL = 1000


@dataclass(frozen=True)
class Target:
    """Where a webhook goes: what is connected to, and what is asked for there."""

    scheme: str
    host: str
    port: int
    path: str


def target_of(url: str, *, private: bool) -> Target:
    """The parts of an address. private: addresses of this network, and such without encryption, are allowed.

    Raises:
        ValueError: it cannot be one; the sentence says why.
    """
    schemes = ("https", "http") if private else ("https",)
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (
            (parts.hostname or "").encode("idna").decode() if not _literal(parts.hostname) else parts.hostname
        )
    except ValueError:
        raise ValueError("The address cannot be read. It looks like https://receiver.example/path.") from None
    if parts.scheme not in schemes or not host:
        allowed = "" if private else " The operator can allow others with PROCTOR_WEBHOOKS_PRIVATE=allow."
        schemes_said = " or ".join(f"{name}://" for name in schemes)
        raise ValueError(f"The address has to begin with {schemes_said}.{allowed}")
    if parts.username is not None or parts.fragment or len(url) > LONGEST_URL:
        raise ValueError(
            f"The address takes neither a user nor a fragment, and at most {LONGEST_URL} characters."
        )
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("The address has to be without blanks and control characters.")
    literal = _literal(host)
    if literal is not None and not private and not is_public(literal):
        raise ValueError(private_address(host))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def private_address(host: str) -> str:
    """Why nothing is sent there. Whoever named a host reads no more of this network's names than they wrote."""
    return (
        f"{host} is, or leads to, an address of this host or of a private network, where webhooks do not go. The "
        "operator can allow it with PROCTOR_WEBHOOKS_PRIVATE=allow."
    )


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the public internet; one that leads to an IPv4 address does where that one does.

    Tunnels whose addresses hold an IPv4 address (6to4, Teredo) do not: nobody has to be reached by them.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _TRANSLATED:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None or address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _literal(host: str | None) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host or "")
    except ValueError:
        return None
