"""Whom a request is counted for. It decides about places in queues only: whether a token is good, endpoints ask."""

import ipaddress

from starlette.types import Scope

from server.accounts.tokens import token_hash


def bearer(scope: Scope) -> str | None:
    """The hash of the request's bearer token."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token_hash(token.strip()) if scheme.lower() == "bearer" and token else None
    return None


def address(scope: Scope) -> str:
    """Where the request comes from: an address, of IPv6 the network that one household or host has."""
    host = str(scope["client"][0]) if scope.get("client") else ""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
