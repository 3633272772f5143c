"""The first case of an image on a cold host, on one that has its inputs, and on a warm one; and one more image.

A real server hands out the leases, and what a run worker does with one is done here by hand, on the engine of this
machine. Bytes are those of inputs and blobs; processor time is the worker's own, without that of engine, server and
container.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.hosts import BenchHost, Took, bench_host, write_images
from benchmarks.support.platform import BLANK_MAP, RunningPlatform, join, platform, send, write_scans
from evaluator.spec import load_challenge
from server.accounts.tokens import create_worker_token
from worker.embedded.data import CHECKOUT
from worker.run.heartbeat import LeaseHandle

MEGABYTES, ROUNDS = 256, 3
_TASK, _TRACK = "task4", "method"
_Way = tuple[str, Callable[[], Took]]


def run() -> list[Comparison]:
    """With blobs in the server's own files."""
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as name:
        top = Path(name)
        top.chmod(0o711)
        scans = write_scans(top / "Task_4", 1, 256)
        images = write_images(top, BLANK_MAP, megabytes=MEGABYTES, count=2)
        return _measured(top / "files", scans, images)


def _measured(top: Path, scans: Path, images: list[Path]) -> list[Comparison]:
    spec = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml", CHECKOUT / "demo/overlay.yaml")
    with platform(0) as running:
        running.prepare(spec, _TASK, scans)
        first, second = _submitted(running, spec.challenge, images)
        with running.database() as session:
            token = create_worker_token(session, "bench-host", slots=1)
        with bench_host(top, running.url, token) as host:
            held = {handle.lease.image.digest: handle for handle in (host.lease(), host.lease())}
            if held.keys() != {first, second}:
                raise RuntimeError("the leases are not those of the two images")
            try:
                return compared(host, held[first], held[second])
            finally:
                host.forget(*held.values())


def _submitted(running: RunningPlatform, challenge: str, images: list[Path]) -> tuple[str, str]:
    team = join(running, challenge, images[0])
    more = send(team, images[1])
    for one in (team, more):
        one.submit(_TASK, _TRACK)
    return team.image, more.image


def compared(host: BenchHost, first: LeaseHandle, second: LeaseHandle) -> list[Comparison]:
    """Every state of a host against one that has nothing, or that knows of no shared layers, in turn."""

    def cold() -> Took:
        host.forget(first, second, inputs=True)
        return host.case(first)

    def with_inputs() -> Took:
        host.forget(first, second)
        return host.case(first)

    def more(*, shared: bool) -> Took:
        host.forget(second)
        host.images.shares = shared
        return host.case(second)

    ways: tuple[_Way, ...] = (
        ("cold", cold),
        ("inputs there", with_inputs),
        ("warm", lambda: host.case(first)),
        ("its layers fetched again", lambda: more(shared=False)),
        ("shared layers left out", lambda: more(shared=True)),
    )
    took: dict[str, list[Took]] = {name: [] for name, _ in ways}
    for _ in range(ROUNDS):
        for name, way in ways:
            took[name].append(way())
    nothing, inputs, warm, again, shared = (_side(name, took[name]) for name, _ in ways)
    return [
        Comparison("first case of an image", inputs, nothing),
        Comparison("a case", warm, nothing),
        Comparison("first case of one more image", shared, again),
    ]


def _side(name: str, took: list[Took]) -> Side:
    processor = statistics.median(one.processor for one in took)
    label = f"{name}: {took[-1].fetched / 1e6:,.1f} MB, worker's processor {processor:.2f} s"
    return Side(label, tuple(one.seconds for one in took))
