"""A slot's GPU reaches its container and no other does: on a real engine, with a stand-in of what NVIDIA installs.

What a GPU computes, and what its real driver does, is not tried here.
"""

import importlib.util
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.verdicts import Fault, PlatformFault
from sandbox import elf, gpu_state
from sandbox.archive import DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.gpu import InstalledGpu, gpus
from sandbox.gpu_seen import PROGRAM, job, names, seen
from sandbox.jobs import CaseOutcome, Slot
from sandbox.loading import load_image
from sandbox.run import run_case
from tests.hostile.images import bare_image
from tests.sandbox.nvidia import CUDA, DRIVER, FIRST, MODEL, SECOND, StandIn, second_engine
from worker.admin import gpu_check
from worker.admin.findings import FindingState

ENGINES = ("second",)
SLEEPS, FAILS = f"{PROGRAM}\nimport time; time.sleep(1)", "raise SystemExit(3)"
EXITS_WITH_0 = bytes.fromhex("b83c00000031ff0f05")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return StandIn(tmp_path_factory.mktemp("nvidia"))


@pytest.fixture(scope="module")
def reached(installed: StandIn) -> Iterator[tuple[Engine, str]]:
    with second_engine(installed) as reached:
        yield reached


@pytest.fixture(scope="session")
def engine() -> None:
    """None of this machine's own: tests here have `own`."""


@pytest.fixture
def own(reached: tuple[Engine, str]) -> Engine:
    return reached[0]


@pytest.fixture
def nvidia(installed: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    installed.reset()
    monkeypatch.setenv("PATH", f"{installed.bin}:/usr/sbin:/usr/bin:/sbin:/bin")
    return installed


def ran(engine: Engine, slot: Slot, scratch: Path, program: str = PROGRAM) -> CaseOutcome:
    return run_case(engine, job(engine, slot, scratch, program))


def test_a_container_sees_the_gpu_of_its_slot_and_no_other(
    nvidia: StandIn, own: Engine, tmp_path: Path
) -> None:
    assert seen(own, SECOND, tmp_path / "one") == [SECOND]
    assert nvidia.given == [[SECOND]]
    assert names(ran(own, Slot(), tmp_path / "none").log) == []
    assert nvidia.given == [[SECOND]], "who has no GPU is not even asked about"


def test_two_slots_at_once_have_a_gpu_each(nvidia: StandIn, own: Engine, tmp_path: Path) -> None:
    nvidia.change(FIRST, used=700)
    nvidia.change(SECOND, used=900)
    slots = [Slot(gpu_uuid=FIRST, uid=61_001), Slot(gpu_uuid=SECOND, uid=61_002)]
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(
            lambda slot: ran(own, slot, tmp_path / str(slot.uid), SLEEPS), slots, timeout=120
        )
    assert (names(first.log), names(second.log)) == ([FIRST], [SECOND])
    assert (first.gpu_memory_bytes, second.gpu_memory_bytes) == (700 * 2**20, 900 * 2**20)


def test_a_program_that_fails_is_to_blame_where_its_gpu_is_well(
    nvidia: StandIn, own: Engine, tmp_path: Path
) -> None:
    assert ran(own, Slot(gpu_uuid=FIRST), tmp_path, FAILS).verdict.fault is Fault.EXIT_CODE


@pytest.mark.parametrize(
    ("uuid", "state", "said"),
    [
        (
            FIRST,
            {"lost": True},
            f"GPU {FIRST} does not answer its driver; nvidia-smi says: Unable to determine",
        ),
        pytest.param(
            *(FIRST, {"errors": 2}, f"GPU {FIRST} counts 2 memory errors that it could not correct"),
            marks=pytest.mark.long,
        ),
        pytest.param(
            *(None, {"hangs": True}, f"nvidia-smi did not answer for GPU {FIRST} within 1 s"),
            marks=pytest.mark.long,
        ),
    ],
)
def test_nobody_is_to_blame_whose_gpu_fails_under_a_case(
    uuid: str | None,
    state: dict[str, object],
    said: str,
    nvidia: StandIn,
    own: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu_state, "_SECONDS", 1.0)
    failing = f"import time; time.sleep(2); {FAILS}"
    case = job(own, Slot(gpu_uuid=FIRST), tmp_path, failing)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run_case, own, case)
        while not nvidia.given and not running.done():
            time.sleep(0.02)
        nvidia.change(uuid, **state)
        with pytest.raises(EngineFault) as caught:
            running.result(120)
    assert caught.value.fault is PlatformFault.GPU_FAULT
    assert said in str(caught.value)


def test_a_gpu_that_is_gone_before_the_start_is_a_fault_of_the_platform(
    nvidia: StandIn, own: Engine, tmp_path: Path
) -> None:
    nvidia.change(FIRST, lost=True)
    with pytest.raises(EngineFault) as caught:
        ran(own, Slot(gpu_uuid=FIRST), tmp_path)
    assert caught.value.fault is PlatformFault.GPU_FAULT
    assert [gpu.uuid for gpu in gpus()] == [SECOND]
    assert seen(own, SECOND, tmp_path / "other") == [SECOND]


def test_an_image_for_a_newer_cuda_is_told_so_and_one_for_all_gpus_gets_its_own(
    nvidia: StandIn, own: Engine, tmp_path: Path
) -> None:
    def verdict(needed: str) -> tuple[Fault | None, str]:
        env = [f"NVIDIA_REQUIRE_CUDA={needed}", "NVIDIA_VISIBLE_DEVICES=all"]
        archive = bare_image({"known": elf.program(EXITS_WITH_0)}, Entrypoint=["/known"], Env=env)
        sink, canonical = DirectorySink(tmp_path / f"{needed}-blobs"), tmp_path / f"{needed}.tar"
        facts = check_archive(archive, limit=2**30, sink=sink)
        with canonical.open("wb") as out:
            write_canonical(facts, sink.open, out)
        with canonical.open("rb") as content:
            load_image(own, content, facts.digest)
        case = job(own, Slot(gpu_uuid=SECOND), tmp_path / needed)
        task = case.task.model_copy(update={"call": None})
        found = run_case(own, replace(case, image=facts.digest, task=task)).verdict
        own.remove_image(facts.digest)
        return found.fault, found.message

    fault, message = verdict("cuda>=13.0")
    assert fault is Fault.NO_START
    assert "asks for another NVIDIA driver or GPU than the platform has" in message
    assert nvidia.given == [[SECOND]], "the known image alone"
    assert verdict("cuda>=12.4")[0] is Fault.OUTPUT_MISSING
    assert nvidia.given == [[SECOND], [SECOND]]


def test_the_driver_and_its_cuda_are_told_with_each_gpu(nvidia: StandIn) -> None:
    memory = 143_771 * 2**20
    assert gpus() == [InstalledGpu(uuid, memory, MODEL, DRIVER, CUDA) for uuid in (FIRST, SECOND)]


def test_the_doctor_says_what_holds_for_each_gpu_and_what_was_not_checked(
    nvidia: StandIn, reached: tuple[Engine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", reached[1])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    nvidia.change(FIRST, errors=1)
    ails, facts, container, computed = gpu_check.gpu_findings("docker")
    assert ails.state is FindingState.FAIL
    assert "could not correct" in ails.found
    assert facts.found == (
        f"{MODEL}, 140 GiB, driver {DRIVER}, CUDA {CUDA}; persistence Enabled, ECC Enabled, MIG Disabled"
    )
    assert (container.state, container.found) == (FindingState.OK, "it is seen, and no other")
    assert (computed.state, computed.found) == (FindingState.WARN, "not checked: there is no torch")
    nvidia.change(FIRST, lost=True)
    nvidia.change(SECOND, lost=True)
    (nothing,) = gpu_check.gpu_findings("docker")
    assert "not checked: the driver, a container that is given a GPU, a computation" in nothing.found
