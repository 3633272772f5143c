"""A real host for slots, with a stand-in of the lease API; and a real queue in virtual time, with its commands."""

import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from demo.images import build_image, ensure_base
from sandbox.archive import DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.loading import load_image
from server.settings import Settings
from server.tables import open_database
from tests.server.simulation import Queue, turn_the_clock
from tests.worker.lease_server import LeaseServer, serving
from tests.worker.queues import SECONDS, Admin
from tests.worker.slots import CHALLENGE, LIMITS, MIB, Start
from worker.admin.main import collect
from worker.run.config import RunConfig
from worker.run.host import HostFolder
from worker.run.runner import Runner

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine.connect()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The workers' folder, which keeps what the check of the host found: one examination serves all these tests."""
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
        load_image(engine, canonical, facts.digest)
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
    HostFolder(folder / "worker").mark_warm(image)

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


@pytest.fixture
def queue(fresh_postgres_url: str, tmp_path: Path) -> Iterator[Queue]:
    turn_the_clock(fresh_postgres_url)
    settings = Settings.model_validate(
        {"data": tmp_path, "secret_key": "k" * 40, "DATABASE_URL": fresh_postgres_url}
    )
    sessions = open_database(fresh_postgres_url, pool_size=1)
    yield Queue.of(sessions, settings, CHALLENGE, seconds=lambda team: SECONDS)
    sessions.kw["bind"].dispose()


@pytest.fixture
def admin(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Admin:
    environment = {
        "DATABASE_URL": queue.settings.database_url,
        "PROCTOR_DATA": str(queue.settings.data),
        "PROCTOR_SECRET_KEY": "k" * 40,
        "COLUMNS": "200",
    }
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    return lambda *words: CliRunner().invoke(collect(), [str(word) for word in words])
