"""Blobs from the store that holds them, at addresses that the server signs for one blob and a moment.

The server names the address, and this host's own setting the only place that it may lead to. Whatever goes wrong there,
the server itself is asked instead.
"""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from worker.run.received import Received

_PAUSE = 60.0
_SKEW = timedelta(minutes=5)
_MOST_READ = 64 * 2**10


class StoreFailed(Exception):
    """The store did not give the blob; the text says why."""


class DirectStore:
    """The store at `origin`, such as https://s3.example; with None there is none to ask."""

    def __init__(self, origin: str | None) -> None:
        self._origin = None if origin is None else origin.rstrip("/")
        self._http = httpx.Client(timeout=httpx.Timeout(30, connect=5))
        self._until = 0.0

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    @property
    def is_open(self) -> bool:
        """Whether to ask for addresses: not for a minute after it failed."""
        return self._origin is not None and time.monotonic() >= self._until

    def fetch(self, address: str, target: Path, sha256: str, limit: int) -> None:
        """Brings what lies at an address to `target`, if it has this digest and at most `limit` bytes.

        Raises:
            StoreFailed: it does not come, or is another; `is_open` is false for a while.
        """
        try:
            self._fetch(address, target, sha256, limit)
        except (StoreFailed, httpx.HTTPError, httpx.InvalidURL) as error:
            self._until = time.monotonic() + _PAUSE
            if isinstance(error, StoreFailed):
                raise
            raise StoreFailed(f"{self._origin} does not answer: {type(error).__name__}") from None

    def _fetch(self, address: str, target: Path, sha256: str, limit: int) -> None:
        if (named := _origin_of(address)) != self._origin:
            raise StoreFailed(f"the server names {named}, and PROCTOR_BLOBS_ORIGIN is {self._origin}")
        with self._http.stream("GET", address) as response, Received(target) as received:
            if response.status_code != httpx.codes.OK:
                raise StoreFailed(_refusal(response))
            for piece in response.iter_raw(1 << 20):
                if received.size + len(piece) > limit:
                    raise StoreFailed(f"{self._origin} sends more than the blob's {limit} bytes")
                received.write(piece)
            if not received.keep(sha256):
                raise StoreFailed(f"{self._origin} gives other bytes than sha256:{sha256}")


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _refusal(response: httpx.Response) -> str:
    """What a store says that gives nothing, and by how much its clock is off."""
    said = b""
    for piece in response.iter_raw():
        said += piece
        if len(said) > _MOST_READ:
            break
    code = said.partition(b"<Code>")[2].partition(b"</Code>")[0].decode("ascii", "replace")[:100]
    told = f"the store refuses the address: {code or response.status_code}"
    try:
        ahead = parsedate_to_datetime(response.headers["Date"]) - datetime.now(UTC)
    except (KeyError, ValueError, TypeError):
        return told
    if abs(ahead) < _SKEW and code != "RequestTimeTooSkewed":
        return told
    hours = ahead.total_seconds() / 3600
    return f"{told}; its clock is {hours:+.1f} hours from this host's. Set all clocks by NTP"
