"""A steady crowd: people who follow their submissions and look at boards, and uploads over slow lines."""

import asyncio
import base64
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.table import Table

from benchmarks.support.crowd import Ask, Timings, ask, probed, request
from benchmarks.support.platform import RunningPlatform, SubmittingTeam

WATCHERS, LOOK_EVERY = 500, 10.0
UPLOADS, UPLOAD_RATE, UPLOAD_BYTES = 50, 256 * 1024, 4 * 2**20  # bytes a second and in all, each
UPLOADS_PER_TEAM = 8
API = "/api/v1"
BOARD_PHASE = "validation"


@dataclass(frozen=True)
class Member:
    """Somebody with a team, and the token of a log-in."""

    token: str
    team: str


def creation(slug: str, member: Member, name: str) -> Ask:
    sha256 = base64.b64encode(random.randbytes(32).hex().encode()).decode()  # noqa: S311 - a name, no secret
    headers = {
        "Tus_Resumable": "1.0.0",
        "Upload_Length": str(UPLOAD_BYTES),
        "Upload_Metadata": f"sha256 {sha256}",
    }
    path = f"{API}/challenges/{slug}/uploads?team={member.team}"
    return request(name, "POST", path, token=member.token, **headers)


@contextmanager
def crowd(
    running: RunningPlatform, team: SubmittingTeam, members: Sequence[Member], submission: str, table: Table
) -> Iterator[None]:
    """Everybody who watches and uploads, in a thread, until the block ends; `table` gets a row per lane."""
    answers = {"watchers": Timings(), "boards": Timings(), "uploads": Timings()}
    over = threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(_everybody(running, team, members, submission, answers, over))
    )
    with probed(running.url) as health:
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
    for name, asked in {**answers, "health": health}.items():
        numbers = [shown(asked.percentile(50)), shown(asked.percentile(99))]
        table.add_row(name, f"{len(asked.statuses):,}", asked.shown, *numbers)


async def _everybody(
    running: RunningPlatform,
    team: SubmittingTeam,
    members: Sequence[Member],
    submission: str,
    answers: dict[str, Timings],
    over: threading.Event,
) -> None:
    own = str(team.client._http.headers["Authorization"]).removeprefix("Bearer ")
    watch = request("watch", "GET", f"{API}/submissions/{submission}", token=own)
    path = f"{API}/challenges/{team.challenge}/leaderboards/{BOARD_PHASE}"
    board = request("board", "GET", path, Accept_Encoding="gzip")
    owners = [members[number // UPLOADS_PER_TEAM] for number in range(UPLOADS)]
    async with asyncio.TaskGroup() as group:
        for _ in range(WATCHERS):
            group.create_task(_watch(running.url, watch, board, answers, over))
        for owner in owners:
            group.create_task(_upload(running.url, team.challenge, owner, answers["uploads"], over))


async def _watch(
    url: str, submission: Ask, board: Ask, answers: dict[str, Timings], over: threading.Event
) -> None:
    """Looks at a submission as `proctor watch` does, and at the board each third time."""
    looks = random.randrange(3)  # noqa: S311 - they did not begin together
    await asyncio.sleep(random.uniform(0, LOOK_EVERY))  # noqa: S311
    while not over.is_set():
        await ask(url, submission, answers["watchers"])
        if (looks := looks + 1) % 3 == 0:
            await ask(url, board, answers["boards"])
        await asyncio.sleep(LOOK_EVERY * random.uniform(0.8, 1.2))  # noqa: S311


async def _upload(url: str, slug: str, member: Member, answers: Timings, over: threading.Event) -> None:
    """Sends one archive after the other at a steady rate; what they hold does not matter."""
    while not over.is_set():
        await _upload_one(url, slug, member, answers, over)


async def _upload_one(url: str, slug: str, member: Member, answers: Timings, over: threading.Event) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(creation(slug, member, "new upload").wire(url))
    head = (await reader.read()).decode()
    lines = [line.split(": ", 1) for line in head.split("\r\n")]
    location = next((line[1] for line in lines if line[0].lower() == "location"), None)
    if location is None:
        answers.add(int(head.split(" ", 2)[1]), 0.0)
        await asyncio.sleep(1)
        return
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    headers: dict[str, Any] = {"Tus_Resumable": "1.0.0", "Upload_Offset": "0"}
    headers |= {"Content_Type": "application/offset+octet-stream"}
    start = request("upload", "PATCH", urlsplit(location).path, token=member.token, **headers).wire(url)
    writer.write(start.replace(b"Content-Length: 0", b"Content-Length: %d" % UPLOAD_BYTES))
    piece, sent = random.randbytes(UPLOAD_RATE), 0  # noqa: S311
    while sent < UPLOAD_BYTES and not over.is_set():
        writer.write(piece)
        await writer.drain()
        sent += len(piece)
        await asyncio.sleep(1)
    if sent < UPLOAD_BYTES:
        writer.close()  # the run is over; what was received is kept
        return
    status = int((await reader.read(65536)).split(b" ", 2)[1])
    answers.add(status, time.perf_counter() - began)


@contextmanager
def memory(running: RunningPlatform) -> Iterator[list[int]]:
    """The most memory (bytes, resident) that the server was seen to have while the block runs."""
    most, over = [0], threading.Event()
    port = str(urlsplit(running.url).port)
    lines = {entry: entry / "cmdline" for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    server = next(
        entry
        for entry, line in lines.items()
        if line.is_file() and b"-m\0server\0" in (read := line.read_bytes()) and port.encode() in read
    )

    def look() -> None:
        while not over.wait(0.5):
            fields = dict(line.split(":", 1) for line in (server / "status").read_text().splitlines())
            most[0] = max(most[0], int(fields["VmRSS"].split()[0]) * 1024)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def shown(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
