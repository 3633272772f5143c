"""Many clients at once, each as cheap as a socket: what is measured is the server and not who asks."""

import asyncio
import json
import multiprocessing
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PATIENCE = 60.0
_PROBE_EVERY = 0.05


@dataclass(frozen=True)
class Ask:
    """One request; `name` is for people."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    name: str = ""

    def wire(self, url: str) -> bytes:
        """Its bytes on a connection of its own."""
        length = {"Content-Length": str(len(self.body))} if self.body or self.method != "GET" else {}
        headers = {"Host": urlsplit(url).netloc, "Connection": "close", **length, **self.headers}
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            *[f"{key}: {value}" for key, value in headers.items()],
        ]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass
class Timings:
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

    def counted(self) -> dict[int, int]:
        """How often each status came."""
        return dict(sorted(Counter(self.statuses).items()))

    @property
    def shown(self) -> str:
        """The same for people."""
        return ", ".join(f"{count:,}× {status or 'no answer'}" for status, count in self.counted().items())


def request(
    name: str, method: str, path: str, *, token: str | None = None, body: object = None, **headers: str
) -> Ask:
    """A request as a client would send it that asks once; `headers` have underscores for hyphens."""
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    if body is not None:
        sent["Content-Type"] = "application/json"
    return Ask(method, path, sent, b"" if body is None else json.dumps(body).encode(), name)


async def ask(url: str, asked: Ask, answers: Timings) -> None:
    """Sends one request on a connection of its own and notes what came of it."""
    parts = urlsplit(url)
    began = time.perf_counter()
    status = 0
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(asked.wire(url))
            status = int((await reader.read(65536)).split(b" ", 2)[1])
            while await reader.read(65536):
                pass
            writer.close()
    except (OSError, TimeoutError, IndexError, ValueError):
        pass
    answers.add(status, time.perf_counter() - began)


async def at_once(url: str, asked: Ask, count: int) -> Timings:
    """Sends the same request so many times at once and waits for every answer."""
    answers = Timings()
    began = time.perf_counter()
    await asyncio.gather(*(ask(url, asked, answers) for _ in range(count)))
    answers.took = time.perf_counter() - began
    return answers


async def every(url: str, asked: Ask, pause: float, over: asyncio.Event) -> Timings:
    """Sends the request again and again, `pause` seconds apart, until `over`."""
    answers = Timings()
    while not over.is_set():
        await ask(url, asked, answers)
        await asyncio.sleep(pause)
    return answers


def burst(url: str, asked: Ask, count: int) -> Timings:
    """The same for whoever does nothing else meanwhile."""
    return asyncio.run(at_once(url, asked, count))


@contextmanager
def probed(url: str) -> Iterator[Timings]:
    """Asks for /healthz twenty times a second from a process of its own while the block runs."""
    context = multiprocessing.get_context("spawn")
    over, results = context.Event(), context.Queue()
    child = context.Process(target=_probe, args=(url, over, results), daemon=True)
    child.start()
    results.get()  # it has asked once
    answers = Timings()
    try:
        yield answers
    finally:
        over.set()
        samples: Sequence[tuple[int, float]] = results.get()
        for status, seconds in samples:
            answers.add(status, seconds)
        child.join()


def _probe(
    url: str, over: "multiprocessing.synchronize.Event", results: "multiprocessing.Queue[object]"
) -> None:
    samples = [_health(url)]
    results.put(None)
    while not over.wait(_PROBE_EVERY):
        samples.append(_health(url))
    results.put(samples)


def _health(url: str) -> tuple[int, float]:
    parts = urlsplit(url)
    content = Ask("GET", "/healthz").wire(url)
    began = time.perf_counter()
    status = 0
    try:
        with socket.create_connection(
            (str(parts.hostname), int(parts.port or 80)), timeout=_PATIENCE
        ) as connection:
            connection.sendall(content)
            status = int(connection.recv(65536).split(b" ", 2)[1])
    except (OSError, IndexError, ValueError):
        pass
    return status, time.perf_counter() - began
