"""Where a request comes from, as it is counted: one IPv4 address, or the /48 that an IPv6 network has to itself."""

import ipaddress
from functools import lru_cache

import structlog
from fastapi import Request

_log = structlog.get_logger()


def source_of(request: Request) -> str:
    """The source of a request.

    uvicorn takes it from X-Forwarded-For where the request comes from a proxy that FORWARDED_ALLOW_IPS names
    (by default this machine), and from the connection otherwise.
    """
    client = request.client
    if client is None:
        return ""
    # A forwarded address has no port. Without one all who come through this proxy would be one source.
    if client.port and "x-forwarded-for" in request.headers:
        _say_once(client.host)
    return network_of(client.host)


def network_of(host: str) -> str:
    """The network that counts as one source."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 48), strict=False))
        address = address.ipv4_mapped
    return str(address)


def coarse(source: str) -> str:
    """A source as its person is shown it: of IPv4 the network of 256 addresses that it is in."""
    try:
        address = ipaddress.IPv4Address(source)
    except ValueError:
        return source or "somewhere"
    return str(ipaddress.ip_network((address, 24), strict=False))


@lru_cache(maxsize=16)
def _say_once(proxy: str) -> None:
    _log.warning(
        "forwarded_header_not_trusted",
        peer=proxy,
        hint="If this is your reverse proxy, start the server with FORWARDED_ALLOW_IPS naming it: until then everybody "
        "behind it counts as one source.",
    )
