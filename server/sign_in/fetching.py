"""What is asked of a provider over HTTP: within seconds and bytes, without redirects, of nobody inside by its word."""

import asyncio
import ipaddress
import json
import ssl
from collections.abc import Collection
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from contract.problems import ErrorCode
from server.errors import BadGateway
from server.providers import is_this_machine

SECONDS = 10.0
MOST = 2**20


def failed(called: str, why: str) -> BadGateway:
    """The problem of a provider that does not do its part."""
    return BadGateway(
        ErrorCode.PROVIDER_FAILED,
        f"{called} did not answer as it should: {why}. Begin the log-in again; if it stays so, tell the organizers.",
    )


async def ask(called: str, method: str, url: str, *, named_hosts: Collection[str], **options: Any) -> Any:
    """The JSON that `url` answers. `named_hosts` may be inside; what a provider names itself may not.

    Raises:
        BadGateway: it does not answer in time, or anything but JSON of a bearable size with status 200.
    """
    try:
        async with asyncio.timeout(SECONDS):
            await _require_reachable(called, url, named_hosts)
            # No proxy and no .netrc of the environment: what is asked goes where it is said to go.
            async with (
                httpx.AsyncClient(verify=_tls(), follow_redirects=False, trust_env=False) as client,
                client.stream(
                    method, url, headers=_HEADERS | options.pop("headers", {}), **options
                ) as answer,
            ):
                return await _read(called, answer)
    except TimeoutError:
        raise failed(called, f"no whole answer within {SECONDS:.0f} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise failed(called, f"it cannot be reached ({type(error).__name__})") from None


_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "proctor"}


async def _read(called: str, answer: httpx.Response) -> Any:
    if answer.status_code != httpx.codes.OK:
        raise failed(called, f"status {answer.status_code} instead of 200")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise failed(called, "a compressed answer, which was not asked for")
    content = bytearray()
    async for piece in answer.aiter_raw():
        content += piece
        if len(content) > MOST:
            raise failed(called, f"more than {MOST:,} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise failed(called, "no JSON") from None


async def _require_reachable(called: str, url: str, named_hosts: Collection[str]) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in named_hosts and (parts.scheme == "https" or is_this_machine(host)):
        return
    if parts.scheme != "https":
        raise failed(called, "it names an address without https")
    found = await asyncio.get_running_loop().getaddrinfo(host, parts.port or 443)
    if not all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found):
        raise failed(called, "it names an address in a private network, and is not there itself")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
