"""A GPU that fails under a case, as the whole platform takes it: a real server, two slots, and a stand-in of NVIDIA."""

import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from demo.images import build_image, ensure_base
from evaluator.spec import Challenge, load_challenge
from sandbox.archive import DirectorySink, check_archive
from server.accounts.tokens import create_worker_token
from server.database import unit_of_work
from server.evaluations.worker_models import WorkerSlot
from server.images.models import Image
from tests.sandbox.nvidia import CUDA, DRIVER, FIRST, MODEL, SECOND, StandIn, second_engine
from tests.server.conftest import FOMO26
from tests.server.lab import Entrant, Lab
from tests.server.test_scoring_worker import LABELS, score, write_references
from tests.worker.slots import LIMITS, MIB, until
from worker.run import host_check
from worker.run.config import RunConfig
from worker.run.host import HostFolder
from worker.run.runner import Runner

pytestmark = pytest.mark.long

WITHIN = 120.0
"""Seconds for each step on a machine that is busy: a host is examined, containers are made."""
MEMORY = 143_771 * MIB
# On the first GPU it computes until that is gone, and fails as a program does then; on any other it answers at once.
# What the driver tells of a GPU stays, so it is known even where the GPU is gone before the program begins.
PROGRAM = """
import os, sys, time
if os.path.isdir("/proc/driver/nvidia/gpus/0000:00:00.0"):
    while os.path.exists("/dev/nvidia0"):
        time.sleep(0.02)
    sys.exit("CUDA error: unspecified launch failure")
with open(sys.argv[sys.argv.index("--output") + 1], "w") as file:
    file.write("0.5")
"""


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    """FOMO26 with cases that this machine can run, each of which has to have a GPU."""
    spec = load_challenge(FOMO26)
    changes = {"gpu": spec.limits.gpu, "seconds_per_case": 60, "output": 16 * MIB}
    return spec.model_copy(update={"limits": LIMITS.model_copy(update=changes)})


@pytest.fixture
def nvidia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The stand-in on the PATH of slots, and an engine that has it, which theirs is."""
    stand_in = StandIn(tmp_path / "nvidia")
    with second_engine(stand_in) as (_, address):
        monkeypatch.setenv("PATH", f"{stand_in.bin}:/usr/sbin:/usr/bin:/sbin:/bin")
        monkeypatch.setenv("DOCKER_HOST", address)
        monkeypatch.setattr(host_check, "_GPU_AGAIN", 0.2)
        yield stand_in


@pytest.fixture
def own(lab: Lab, team: Entrant, tmp_path: Path) -> Entrant:
    """A team with the program as its image, which the server has and no engine yet."""
    files = {"/app/predict.py": PROGRAM.encode(), "/mark": uuid.uuid4().bytes}
    archive = build_image(files, ensure_base(), name=f"proctor-gpus-{uuid.uuid4().hex[:8]}")
    sink = DirectorySink(tmp_path / "blobs")
    facts = check_archive(archive, limit=4 * 2**30, sink=sink)
    archive.unlink()
    for digest in facts.blobs:
        with sink.open(digest) as content:
            lab.settings.blobs.put(content.read())
    with unit_of_work(lab.sessions) as session:
        session.add(Image(team_id=UUID(team.team), digest=facts.digest, facts=facts, size=facts.size))
    return replace(team, image=facts.digest)


@pytest.fixture
def folder(own: Entrant) -> Iterator[Path]:
    """The workers' folder, where the image has run before: no case waits for a run that is not counted."""
    folder = Path(tempfile.mkdtemp(prefix="proctor-gpus-"))
    folder.chmod(0o711)
    HostFolder(folder).mark_warm(own.image)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def slot(lab: Lab, url: str, folder: Path, name: str, gpu: str) -> Iterator[Runner]:
    """A slot that has this GPU, and looks at the queue."""
    with unit_of_work(lab.sessions) as session:
        token = create_worker_token(session, f"host-{uuid.uuid4().hex[:8]}")
    config = RunConfig(
        server_url=url,
        worker_token=SecretStr(token),
        worker_dir=folder,
        slot_cpus=1,
        slot_memory=128 * MIB,
        slot_gpu=gpu,
        slot_gpu_memory=MEMORY,
    )
    runner = Runner(config, name)
    thread = threading.Thread(target=runner.work)
    thread.start()
    runner.wake()
    try:
        yield runner
    finally:
        runner.stop_now()
        thread.join(60)
        assert not thread.is_alive()


def soon(happens: Callable[[], bool]) -> None:
    until(happens, WITHIN)


def unplug(nvidia: StandIn, uuid: str) -> None:
    """The GPU falls off the bus under the one container that has it."""
    nvidia.change(uuid, lost=True)
    (container,) = nvidia.containers
    asked = ["docker", "inspect", "--format={{.State.Pid}}", container]
    pid = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["nsenter", f"--target={pid}", "--mount", "rm", "/dev/nvidia0"], check=True)


def why_unfit(lab: Lab, name: str) -> str | None:
    with unit_of_work(lab.sessions) as session:
        return session.scalars(select(WorkerSlot.unfit).where(WorkerSlot.name == name)).one()


def test_a_gpu_that_falls_off_under_a_case_takes_its_slot_out_and_the_case_is_scored_elsewhere(
    lab: Lab,
    own: Entrant,
    nvidia: StandIn,
    folder: Path,
    served: tuple[str, Callable[..., object]],
) -> None:
    evaluation = own.submit()
    write_references(lab, evaluation, LABELS)
    with slot(lab, served[0], folder, "first", FIRST) as first:
        soon(lambda: nvidia.given == [[FIRST]])
        soon(lambda: lab.runs(evaluation)[0].status == "running")
        unplug(nvidia, FIRST)
        soon(lambda: why_unfit(lab, "first") is not None)
        said = why_unfit(lab, "first")
        assert said is not None
        assert said.startswith(
            f"GPU {FIRST} does not answer its driver; nvidia-smi says: Unable to determine"
        )
        soon(lambda: all(run.status in ("waiting", "parked") for run in lab.runs(evaluation)))
        lab.unpark()
        with slot(lab, served[0], folder, "second", SECOND):
            soon(lambda: own.evaluation(evaluation)["status"] == "scoring")
        assert nvidia.given[1:] == [[SECOND]] * len(LABELS)
        _ran_on_the_second(lab, evaluation)
        assert score(lab, evaluation).status == "scored"
        assert own.quota()["spent"] == 1, "the submission itself, and nothing for the GPU"
        nvidia.change(FIRST, lost=False)
        first.wake()
        soon(lambda: why_unfit(lab, "first") is None)


def _ran_on_the_second(lab: Lab, evaluation: str) -> None:
    runs = lab.runs(evaluation)
    assert [(run.status, run.verdict, run.worker) for run in runs] == [("done", "valid", "second")] * len(
        runs
    )
    assert [run.faults for run in runs] == [1] + [0] * (len(runs) - 1), "a fault of the platform"
    gpu = {"uuid": SECOND, "memory": MEMORY, "model": MODEL, "driver": DRIVER, "cuda": CUDA}
    assert all((run.receipt or {})["gpu"] == gpu for run in runs)
