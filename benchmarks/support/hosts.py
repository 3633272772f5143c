"""A run worker's host of a benchmark's own, and images that share large layers with nothing but each other."""

import json
import os
import tarfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from contract.images import ImageFacts
from contract.leases import Lease
from demo.images import build_image, ensure_base
from sandbox.archive import DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.jobs import Slot
from worker.run.config import RunConfig
from worker.run.engine_connection import EngineConnection
from worker.run.executor import Executor
from worker.run.heartbeat import Heartbeat, LeaseHandle
from worker.run.host import HostFolder
from worker.run.image_cache import ImageCache
from worker.run.input_cache import InputCache
from worker.run.lease_client import LeaseClient

_LIMIT = 8 * 2**30


@dataclass(frozen=True)
class Took:
    """What one case took: seconds by the clock, seconds of the worker's own processor time, bytes that it fetched."""

    seconds: float
    processor: float
    fetched: int


class CountingClient(LeaseClient):
    """A client that counts the bytes of what it brings."""

    fetched = 0

    def fetch_input(self, lease: Lease, key: str, target: Path) -> None:
        """As ever."""
        super().fetch_input(lease, key, target)
        self.fetched += target.stat().st_size

    def fetch_blob(self, lease: Lease, digest: str, target: Path) -> None:
        """As ever."""
        super().fetch_blob(lease, digest, target)
        self.fetched += target.stat().st_size


class ForgetfulCache(ImageCache):
    """One that knows of no shared layers where it is told so, as it was before it asked for them."""

    shares = True

    def shared_layers(self, engine: Engine, facts: ImageFacts) -> frozenset[str]:
        """None, or those there are."""
        return super().shared_layers(engine, facts) if self.shares else frozenset()


class BenchHost:
    """One slot on a host of its own, whose steps are called by hand: what a run worker does with a lease."""

    def __init__(self, config: RunConfig) -> None:
        self.client = CountingClient(config, "bench")
        self.connection = EngineConnection()
        self._heartbeat = Heartbeat(self.client)
        host = HostFolder(config.worker_dir)
        self.images = ForgetfulCache(host, None)
        self._inputs = InputCache(config.worker_dir / "inputs", config.input_cache)
        self._executor = Executor(
            "bench",
            host=host,
            client=self.client,
            connection=self.connection,
            inputs=self._inputs,
            images=self.images,
            whole=Slot(),
            admit=lambda _: None,
        )

    @property
    def engine(self) -> Engine:
        """The engine of this machine."""
        return self.connection.engine()

    def lease(self) -> LeaseHandle:
        """A case that waits, which is this host's until it is closed.

        Raises:
            RuntimeError: none does.
        """
        lease = self.client.lease()
        if lease is None:
            raise RuntimeError("no case waits")
        return self._heartbeat.hold(lease)

    def case(self, handle: LeaseHandle) -> Took:
        """Runs a leased case from nothing to a checked output, and forgets it; the lease is kept."""
        self.client.fetched = 0
        began, worked = time.perf_counter(), time.process_time()
        case = self._executor.begin(handle)
        try:
            self._executor.bring_image(case)
            self._executor.execute(case)
            outcome = self._executor.outcome(case)
        finally:
            self._executor.forget(case)
        if not outcome.verdict.valid:
            raise RuntimeError(f"{outcome.verdict.message}\n{outcome.log}")
        return Took(time.perf_counter() - began, time.process_time() - worked, self.client.fetched)

    def forget(self, *handles: LeaseHandle, inputs: bool = False) -> None:
        """Removes the images of the leases, and the inputs of all."""
        for handle in handles:
            self.images.drop(self.engine, handle.lease.image.digest)
        if inputs:
            self._inputs.wipe()

    def close(self) -> None:
        """Ends its connections."""
        self._heartbeat.stop()
        self.client.close()
        self.connection.close()


@contextmanager
def bench_host(folder: Path, url: str, token: str) -> Iterator[BenchHost]:
    """A host without images and inputs."""
    folder.mkdir(mode=0o711)
    host = BenchHost(
        RunConfig.model_validate({"server_url": url, "worker_token": token, "worker_dir": folder})
    )
    try:
        yield host
    finally:
        host.close()


def write_images(folder: Path, program: bytes, *, megabytes: int, count: int) -> list[Path]:
    """Archives of images with the demo's base, one layer of so many random megabytes, and own copies of a program.

    Their lowest layer is one that no engine has, so none of theirs is there already.
    """
    archive = build_image({"/app/predict.py": program}, ensure_base(), name="proctor-bench-hosts")
    sink = DirectorySink(folder / "layers")
    with archive.open("rb") as file:
        facts = check_archive(file, limit=_LIMIT, sink=sink)
    archive.unlink()
    bottom = _stored(sink, layer("etc/bench", uuid.uuid4().bytes))
    model = _stored(sink, layer("app/model.bin", os.urandom(megabytes * 10**6)))
    sizes = dict(zip(facts.layers, facts.layer_sizes, strict=True)) | {
        bottom[0]: bottom[1],
        model[0]: model[1],
    }
    paths = []
    for number in range(count):
        own = _stored(sink, layer("app/predict.py", program + f"# {number}\n".encode()))
        layers = (bottom[0], *facts.layers[:-1], model[0], own[0])
        target = folder / f"image-{number}.tar"
        _write(target, sink, facts, layers, sizes | {own[0]: own[1]})
        paths.append(target)
    return paths


def _write(
    target: Path, sink: DirectorySink, like: ImageFacts, layers: tuple[str, ...], sizes: dict[str, int]
) -> None:
    with sink.open(like.digest) as blob:
        config = json.loads(blob.read())
    config["rootfs"]["diff_ids"] = list(layers)
    config.pop("history", None)
    digest, _ = _stored(sink, json.dumps(config).encode())
    each = tuple(sizes[one] for one in layers)
    facts = like.model_copy(
        update={"digest": digest, "layers": layers, "layer_sizes": each, "size": sum(each)}
    )
    with target.open("wb") as out:
        write_canonical(facts, sink.open, out)


def layer(name: str, content: bytes) -> bytes:
    """A layer of one file."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o755
        tar.addfile(member, BytesIO(content))
    return buffer.getvalue()


def _stored(sink: DirectorySink, data: bytes) -> tuple[str, int]:
    with sink.writer() as writer:
        writer.write(data)
        writer.commit()
    return f"sha256:{sha256(data).hexdigest()}", len(data)
