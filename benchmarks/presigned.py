"""What a run worker fetches: by addresses that are signed for it, straight from the store, against through the server.

A layer lies in a bucket of moto's S3 server and has a way through the server; an input lies on the server's own disk,
and in the bucket as a copy. Processor time is the server's own, and so is the memory that it took at most beside what
it had before.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from benchmarks.blobs import s3_client, s3_server
from benchmarks.support.compare import Comparison, Side
from benchmarks.support.services import installation, server_process
from benchmarks.support.waiting import fill
from contract.leases import Lease
from server.accounts.tokens import create_worker_token
from server.blobs import BucketPlace, FileStore, store_of
from server.database import unit_of_work
from server.datasets.models import Case
from server.evaluations.models import Evaluation
from server.images.models import Image
from server.settings import Settings
from server.tables import open_database
from worker.run.config import RunConfig
from worker.run.heartbeat import Heartbeat
from worker.run.lease_client import LeaseClient

_MEGABYTES = {"layer": 256, "input": 64}
_ROUNDS = 3
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_COPY_SECONDS = 60.0


@dataclass(frozen=True)
class Served:
    """What one fetch took: seconds by the clock, the server's processor seconds, bytes of memory at most."""

    seconds: float
    processor: float
    memory: int


class ServerProcess:
    """What a server's process has taken."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def measured(self, fetch: Callable[[], object]) -> Served:
        """What it takes while the block fetches."""
        (self._folder / "clear_refs").write_text("5")  # the most memory is counted anew from here
        began, worked, had = time.perf_counter(), self._processor(), self._memory("VmRSS")
        fetch()
        seconds = time.perf_counter() - began
        return Served(seconds, self._processor() - worked, max(0, self._memory("VmHWM") - had))

    def _processor(self) -> float:
        user, system = (self._folder / "stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) * _TICK

    def _memory(self, name: str) -> int:
        rows = (self._folder / "status").read_text().splitlines()
        return next(int(row.split()[1]) * 1024 for row in rows if row.startswith(f"{name}:"))


def run() -> list[Comparison]:
    """A layer and an input, each way in turn."""
    with tempfile.TemporaryDirectory() as name, s3_server(Path(name)) as endpoint, installation() as settings:
        place = BucketPlace.at("s3://bench/blobs", endpoint, "us-east-1", "key", "secret", path_style=True)
        s3_client(place).create_bucket(Bucket=place.bucket)
        sessions = open_database(settings.database_url, pool_size=1)
        with unit_of_work(sessions) as session:
            token = create_worker_token(session, "bench", slots=1)
            fill(session, 1, 1)
            digest = _with_files(session, settings, place)
        sessions.kw["bind"].dispose()
        told = {
            "BLOBS_URL": "s3://bench/blobs",
            "PROCTOR_BLOBS_ENDPOINT": endpoint,
            "PROCTOR_BLOBS_ACCESS_KEY": place.access_key,
            "PROCTOR_BLOBS_SECRET_KEY": place.secret_key,
            "PROCTOR_BLOBS_INPUTS": "true",
        }
        with server_process(settings, told) as (url, pid):
            return _compared(ServerProcess(pid), url, token, endpoint, digest, Path(name))


def _with_files(session: Session, settings: Settings, place: BucketPlace) -> str:
    """Gives the one case an input and its image a layer, and asks for little; the layer's digest."""
    content = os.urandom(_MEGABYTES["input"] * 10**6)
    path = settings.inputs / "bench" / "t1w.nii.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    file = {"path": "bench/t1w.nii.gz", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    session.execute(update(Case).values(files={"t1w": file}))
    digest = store_of(place, FileStore(settings.data / "blobs")).put(
        os.urandom(size := _MEGABYTES["layer"] * 10**6)
    )
    image = session.scalars(select(Image)).one()
    image.facts = image.facts.model_copy(update={"layers": (digest,), "layer_sizes": (size,), "size": size})
    session.execute(
        update(Evaluation).values(needs_cpus=1, needs_memory=2**30, needs_gpus=0, needs_gpu_memory=0)
    )
    return digest


def _compared(
    process: ServerProcess, url: str, token: str, endpoint: str, digest: str, folder: Path
) -> list[Comparison]:
    def client(origin: str | None) -> LeaseClient:
        told = {"server_url": url, "worker_token": token, "worker_dir": folder, "blobs_origin": origin}
        return LeaseClient(RunConfig.model_validate(told), "bench")

    through, direct = client(None), client(endpoint)
    heartbeat = Heartbeat(through)
    if (lease := through.lease()) is None:
        raise RuntimeError("no case waits")
    handle = heartbeat.hold(lease)
    target = folder / "fetched"
    try:
        _wait_for_copy(process, direct, lease, target)
        found = []
        for what, fetch in (
            ("layer", lambda one: one.fetch_blob(lease, digest, target)),
            ("input", lambda one: one.fetch_input(lease, "t1w", target)),
        ):
            found += _both_ways(process, what, direct, through, fetch)
        return found
    finally:
        heartbeat.let_go(handle)
        heartbeat.stop()
        through.close()
        direct.close()


def _wait_for_copy(process: ServerProcess, client: LeaseClient, lease: Lease, target: Path) -> None:
    """The first who asks has the input from the server, which copies it meanwhile for the next."""
    until = time.monotonic() + _COPY_SECONDS
    while process.measured(lambda: client.fetch_input(lease, "t1w", target)).processor > 10 * _TICK:
        if time.monotonic() > until:
            raise RuntimeError("no copy of the input came to lie in the bucket")
        time.sleep(1)


def _both_ways(
    process: ServerProcess,
    what: str,
    direct: LeaseClient,
    through: LeaseClient,
    fetch: Callable[[LeaseClient], object],
) -> list[Comparison]:
    fetch(direct)
    fetch(through)
    took: dict[str, list[Served]] = {"signed address": [], "through the server": []}
    for _ in range(_ROUNDS):
        for (_, each), client in zip(took.items(), (direct, through), strict=True):
            each.append(process.measured(partial(fetch, client)))
    size = _MEGABYTES[what]
    name = f"{what} of {size} MB"
    wall = [Side(way, tuple(one.seconds for one in each)) for way, each in took.items()]
    worked = [_side_of_server(way, each) for way, each in took.items()]
    return [
        Comparison(f"{name}, by the clock", wall[0], wall[1], megabytes=size),
        Comparison(f"{name}, the server's processor time", worked[0], worked[1]),
    ]


def _side_of_server(way: str, took: list[Served]) -> Side:
    """Processor time is counted in ticks; less than one is one."""
    most = max(one.memory for one in took)
    return Side(f"{way}, memory +{most / 2**20:,.0f} MiB", tuple(max(one.processor, _TICK) for one in took))
