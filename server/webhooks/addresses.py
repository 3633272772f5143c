"""Which addresses webhooks may go to: never this host or network, unless the operator allows it.

What is checked is the address that the connection is made to, so a name that answers otherwise a moment later gains
nothing.
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
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
        raise ValueError(f"The address has to begin with {' or '.join(f'{name}://' for name in schemes)}.")
    if parts.username is not None or parts.fragment or len(url) > LONGEST_URL:
        raise ValueError(
            f"The address takes neither a user nor a fragment, and at most {LONGEST_URL} characters."
        )
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("The address has to be without blanks and control characters.")
    literal = _literal(host)
    if literal is not None and not private and not is_public(literal):
        raise ValueError(private_address(literal))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def private_address(address: IpAddress) -> str:
    """Why nothing is sent there."""
    return (
        f"{address} is an address of this host or of a private network, where webhooks do not go. The operator can "
        "allow it with PROCTOR_WEBHOOKS_PRIVATE=allow."
    )


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the public internet, with every address that is written in it."""
    inside = [address, *_written_in(address)]
    return all(
        one.is_global and not (one.is_multicast or one.is_reserved or one.is_unspecified)
        for one in inside
        if one is address or isinstance(one, ipaddress.IPv4Address)
    ) and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)


def _written_in(address: IpAddress) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _TRANSLATED or address in _COMPATIBLE:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


def _literal(host: str | None) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host or "")
    except ValueError:
        return None
