"""A real host for slots under test: its folder, an image, the lease API's stand-in, and runners that are stopped."""

import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from demo.images import build_image, ensure_base
from sandbox.archive import DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from tests.worker.lease_server import LeaseServer, serving
from tests.worker.slots import CHALLENGE, LIMITS, MIB, Start
from worker.run.config import RunConfig
from worker.run.host import Host
from worker.run.runner import Runner

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine.connect()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The workers' folder, which keeps what the gate found: one examination serves all these tests."""
    folder = Path(tempfile.mkdtemp(prefix="proctor-slot-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(engine: Engine, folder: Path) -> Iterator[str]:
    files = {"/app/predict.py": (HERE / "slot_program.py").read_bytes(), "/mark": uuid.uuid4().bytes}
    archive = build_image(files, ensure_base(), name=f"proctor-slot-{uuid.uuid4().hex[:8]}")
    sink = DirectorySink(folder / "blobs")
    facts = check_archive(archive, limit=4 * 2**30, sink=sink)
    with (folder / "canonical.tar").open("w+b") as canonical:
        write_canonical(facts, sink.open, canonical)
        canonical.seek(0)
        engine.load(canonical, facts.digest)
    archive.unlink()
    shutil.rmtree(folder / "blobs")
    yield facts.digest
    engine.remove_image(facts.digest)


@pytest.fixture
def lab(image: str) -> Iterator[LeaseServer]:
    with serving(LeaseServer(CHALLENGE, LIMITS, image)) as lab:
        yield lab


@pytest.fixture
def start(lab: LeaseServer, folder: Path, image: str) -> Iterator[Start]:
    """Starts a slot of two cores that looks at the queue; all are stopped at the end, their cases handed back."""
    started: list[tuple[Runner, threading.Thread]] = []
    Host(folder / "worker").mark_warm(image)

    def start(**changes: object) -> Runner:
        config = RunConfig(
            server_url=lab.url,
            worker_token=SecretStr("token"),
            worker_dir=folder / "worker",
            **({"slot_cpus": 2, "slot_cpuset": "0,1", "slot_memory": 128 * MIB} | changes),  # type: ignore[arg-type]
        )
        runner = Runner(config, f"slot-{uuid.uuid4().hex[:6]}")
        thread = threading.Thread(target=runner.work)
        thread.start()
        runner.wake()
        started.append((runner, thread))
        return runner

    yield start
    for runner, thread in started:
        runner.stop_now()
        thread.join(60)
        assert not thread.is_alive()
