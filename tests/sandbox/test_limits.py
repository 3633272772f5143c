"""The bounds to which a challenge file is held are those of a real engine: within them a container can be made."""

import pytest

from evaluator.spec.limits import (
    LEAST_CPUS,
    LEAST_DISK,
    LEAST_MEMORY,
    LEAST_PROCESSES,
    MOST_DISK,
    MOST_PROCESSES,
)
from sandbox.disks import supported
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from tests.sandbox.conftest import MIB, Run

disks = pytest.mark.skipif(not supported(), reason="bounded disks need root and loop devices")


@pytest.mark.parametrize(
    "bounds",
    [
        {"memory": LEAST_MEMORY, "shm": MIB},
        {"processes": LEAST_PROCESSES},
        {"processes": MOST_PROCESSES},
        {"cpus": LEAST_CPUS, "seconds_per_case": 1},
        {"cpus": 4096},
        {"memory": 64 * 2**40, "shm": 64 * 2**40},
        {"output": LEAST_DISK, "disk": LEAST_DISK, "output_files": 1},
        {"output": MOST_DISK, "disk": MOST_DISK, "output_files": 10_000_000},
    ],
    ids=str,
)
def test_a_container_can_be_made_at_every_bound(run: Run, bounds: dict[str, float]) -> None:
    ends = {"valid", "out_of_memory", "too_many_processes", "timeout", "exit_code"}
    assert run("valid", **bounds).verdict.code in ends


@pytest.mark.parametrize(
    "bounds", [{"memory": 5 * MIB}, {"processes": MOST_PROCESSES + 1}, {"cpus": 0.001}], ids=str
)
def test_beyond_the_bounds_the_engine_refuses_and_would_be_blamed(
    run: Run, bounds: dict[str, float], engine: Engine
) -> None:
    if engine.raw.kind == "podman" and "memory" in bounds:
        assert run("valid", **bounds).verdict.code == "out_of_memory"  # it takes less than Docker does
        return
    with pytest.raises(EngineFault):
        run("valid", **bounds)


@disks
def test_a_disk_beyond_the_bounds_cannot_be_made_or_is_full_whatever_fails(run: Run) -> None:
    with pytest.raises(EngineFault):
        run("valid", disk=16 * 2**40)
    assert run("crashes", disk=2 * MIB).verdict.code == "disk_full"
    assert run("crashes", output=LEAST_DISK, disk=LEAST_DISK).verdict.code == "exit_code"
