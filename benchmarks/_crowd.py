"""Many clients at once, each as cheap as a socket: what is measured is the server and not who asks."""

import asyncio
import json
import multiprocessing
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PATIENCE = 60.0
_PROBE_EVERY = 0.05


@dataclass(frozen=True)
class Request:
    """One request as its bytes, with a name for people."""

    name: str
    content: bytes


@dataclass
class Answers:
    """Status (0 where none came) and seconds of each request, and the seconds until the last of them."""

    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    took: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Notes one answer."""
        self.statuses.append(status)
        self.seconds.append(seconds)

    def percentile(self, percent: float) -> float:
        """Seconds within which so many percent of the answers came; 0 without any."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0

    @property
    def counted(self) -> str:
        """How often each status came, for people."""
        counts = sorted(Counter(self.statuses).items())
        return ", ".join(f"{count:,}× {status or 'no answer'}" for status, count in counts)


def request(
    name: str,
    url: str,
    method: str,
    path: str,
    *,
    token: str | None = None,
    body: object = None,
    **headers: str,
) -> Request:
    """A request as a client would send it that asks once."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", "Connection: close"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    content = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        lines.append("Content-Type: application/json")
    if body is not None or method != "GET":
        lines.append(f"Content-Length: {len(content)}")
    return Request(name, "\r\n".join(lines).encode() + b"\r\n\r\n" + content)


async def ask(url: str, content: bytes, answers: Answers) -> None:
    """Sends one request on a connection of its own and notes what came of it."""
    parts = urlsplit(url)
    began = time.perf_counter()
    status = 0
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(content)
            status = int((await reader.read(65536)).split(b" ", 2)[1])
            while await reader.read(65536):
                pass
            writer.close()
    except (OSError, TimeoutError, IndexError, ValueError):
        pass
    answers.add(status, time.perf_counter() - began)


def burst(url: str, one: Request, count: int) -> Answers:
    """Sends the same request so many times at once and waits for every answer."""

    async def all_at_once() -> Answers:
        answers = Answers()
        began = time.perf_counter()
        await asyncio.gather(*(ask(url, one.content, answers) for _ in range(count)))
        answers.took = time.perf_counter() - began
        return answers

    return asyncio.run(all_at_once())


@contextmanager
def probed(url: str) -> Iterator[Answers]:
    """Asks for /healthz twenty times a second from a process of its own while the block runs."""
    context = multiprocessing.get_context("spawn")
    over, results = context.Event(), context.Queue()
    child = context.Process(target=_probe, args=(url, over, results), daemon=True)
    child.start()
    results.get()  # it has asked once
    answers = Answers()
    try:
        yield answers
    finally:
        over.set()
        found: Sequence[tuple[int, float]] = results.get()
        for status, seconds in found:
            answers.add(status, seconds)
        child.join()


def _probe(
    url: str, over: "multiprocessing.synchronize.Event", results: "multiprocessing.Queue[object]"
) -> None:
    found = [_health(url)]
    results.put(None)
    while not over.wait(_PROBE_EVERY):
        found.append(_health(url))
    results.put(found)


def _health(url: str) -> tuple[int, float]:
    parts = urlsplit(url)
    content = request("healthz", url, "GET", "/healthz").content
    began = time.perf_counter()
    status = 0
    try:
        with socket.create_connection((str(parts.hostname), int(parts.port or 80)), timeout=_PATIENCE) as one:
            one.sendall(content)
            status = int(one.recv(65536).split(b" ", 2)[1])
    except (OSError, IndexError, ValueError):
        pass
    return status, time.perf_counter() - began
