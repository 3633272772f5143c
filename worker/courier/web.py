"""Handing a message to a webhook: one request of bounded time, to an address that was looked at, and no further."""

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from http import HTTPStatus

import httpx

from server.outbox.models import OutboxMessage
from server.outbox.tries import TAKEN, Tried
from server.webhooks.addresses import IpAddress, Target, is_public, private_address, target_of
from server.webhooks.models import Endpoint
from server.webhooks.signing import signed_headers

SECONDS = 15.0
"""From the look-up of the name to the last header of the answer, of which nothing more is read."""
_CONNECT_SECONDS = 5.0
_LOOK_UPS = ThreadPoolExecutor(32, thread_name_prefix="names")
"""Of their own: a name server that hangs holds a thread beyond the try, and none that others need."""


@dataclass(frozen=True)
class Answered:
    """What came of a try; `gone`: the receiver wants nothing any more."""

    tried: Tried
    gone: bool = False


async def post(delivery: OutboxMessage, endpoint: Endpoint, *, at: datetime, private: bool) -> Answered:
    """Sends a message to its endpoint; whatever the receiver does, an answer comes in bounded time.

    private: addresses of this network are allowed.
    """
    try:
        async with asyncio.timeout(SECONDS):
            return await _post(delivery, endpoint, at=at, private=private)
    except TimeoutError:
        return _failed(f"There was no answer within {SECONDS:g} s.")
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        return _failed(f"It cannot be reached: {str(error) or type(error).__name__}")


async def _post(delivery: OutboxMessage, endpoint: Endpoint, *, at: datetime, private: bool) -> Answered:
    try:
        target = target_of(endpoint.url, private=private)
    except ValueError as error:  # what was allowed once is so no more
        return _failed(str(error))
    addresses = await _addresses(target)
    if not private and not all(map(is_public, addresses)):
        return _failed(private_address(target.host))
    body = json.dumps(delivery.payload, ensure_ascii=False, separators=(",", ":")).encode()
    old = endpoint.old_secret if endpoint.old_secret_until and endpoint.old_secret_until > at else None
    keys = [key for key in (endpoint.secret, old) if key]
    headers = signed_headers(f"msg_{delivery.id}", int(at.timestamp()), body, keys=keys)
    return await _send(target, addresses[0], headers, body)


async def _addresses(target: Target) -> Sequence[IpAddress]:
    """Every address of the name; what cannot be looked up raises OSError."""
    look_up = partial(socket.getaddrinfo, target.host, target.port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_LOOK_UPS, look_up)
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


async def _send(target: Target, address: IpAddress, headers: dict[str, str], body: bytes) -> Answered:
    """The connection is made to `address`; the certificate has to be the name's."""
    number = f"[{address}]" if address.version == 6 else str(address)
    named = f"[{target.host}]" if ":" in target.host else target.host
    headers |= {
        "Host": f"{named}:{target.port}",
        "Content-Type": "application/json",
        "User-Agent": "Proctor-Webhooks",
    }
    timeout = httpx.Timeout(SECONDS, connect=_CONNECT_SECONDS)
    async with (
        httpx.AsyncClient(
            timeout=timeout, verify=_authorities(), trust_env=False, follow_redirects=False
        ) as client,
        client.stream(
            "POST",
            f"{target.scheme}://{number}:{target.port}{target.path}",
            headers=headers,
            content=body,
            extensions={"sni_hostname": target.host},
        ) as answer,
    ):
        return _meaning(answer.status_code)


@cache
def _authorities() -> ssl.SSLContext:
    """Read once: it takes longer than many a request."""
    return httpx.create_ssl_context()


def _meaning(status: int) -> Answered:
    if HTTPStatus(200) <= status < HTTPStatus(300):
        return Answered(TAKEN)
    if status == HTTPStatus.GONE:
        return Answered(Tried("It answered 410.", final=True), gone=True)
    if HTTPStatus(300) <= status < HTTPStatus(400):
        return _failed(
            f"It answered {status}: redirects are not followed. Register the address that it leads to."
        )
    return _failed(f"It answered {status}.")


def _failed(why: str) -> Answered:
    return Answered(Tried(why))
