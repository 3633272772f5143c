"""What a Slurm job was given, from its environment and from what the node shows; and its shares."""

from datetime import datetime
from pathlib import Path

import pytest

from sandbox.gpu import InstalledGpu
from worker.run.allocation import (
    Allocation,
    Had,
    TooSmall,
    end_told,
    grace_left,
    memory_bounds,
    was_put_back,
)

GIB = 2**30
GPUS = tuple(InstalledGpu(f"GPU-{letter}{letter}", 80 * GIB, "A card", "1.0") for letter in "abcd")
JOB = {
    "SLURM_JOB_ID": "17",
    "SLURMD_NODENAME": "n1",
    "SLURM_CPUS_ON_NODE": "4",
    "SLURM_MEM_PER_NODE": "16384",
}


def had(cores: int = 4, memory: int = 64 * GIB, gpus: int = 0) -> Had:
    return Had(frozenset(range(8, 8 + cores)), memory, GPUS[:gpus])


def read(seen: Had | None = None, **changes: str) -> Allocation:
    return Allocation.read(JOB | changes, seen or had())


def test_a_slot_has_what_the_job_has_but_for_the_workers_own_part() -> None:
    (share,) = read().shares(1, {})
    assert share == {
        "PROCTOR_SLOT_CPUS": "4",
        "PROCTOR_SLOT_MEMORY": str(16 * GIB - 256 * 2**20),
        "PROCTOR_SLOT_CPUSET": "8,9,10,11",
    }


def test_slots_share_no_core_and_no_gpu() -> None:
    gpus = {"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_GPUS_ON_NODE": "2"}
    first, second = read(had(gpus=2), **gpus).shares(1, {})
    assert (first["PROCTOR_SLOT_CPUSET"], second["PROCTOR_SLOT_CPUSET"]) == ("8,9", "10,11")
    assert (first["PROCTOR_SLOT_GPU"], second["PROCTOR_SLOT_GPU"]) == ("GPU-aa", "GPU-bb")
    assert int(first["PROCTOR_SLOT_MEMORY"]) * 2 < 16 * GIB


def test_a_job_that_is_bound_to_no_cores_names_none() -> None:
    (share,) = read(had(cores=64)).shares(1, {})
    assert "PROCTOR_SLOT_CPUSET" not in share
    assert share["PROCTOR_SLOT_CPUS"] == "4"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"CUDA_VISIBLE_DEVICES": "GPU-b,GPU-dd"}, ["GPU-bb", "GPU-dd"]),
        ({"CUDA_VISIBLE_DEVICES": "3"}, ["GPU-dd"]),
        ({"SLURM_JOB_GPUS": "1,2"}, ["GPU-bb", "GPU-cc"]),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, []),
        ({}, []),
    ],
)
def test_gpus_are_named_in_several_ways(named: dict[str, str], found: list[str]) -> None:
    assert [gpu.uuid for gpu in read(had(gpus=4), **named).gpus] == found


@pytest.mark.parametrize(
    ("environment", "memory"),
    [
        ({"SLURM_MEM_PER_NODE": "0"}, 64 * GIB),
        ({"SLURM_MEM_PER_NODE": "", "SLURM_MEM_PER_CPU": "1024"}, 4 * GIB),
        (
            {
                "SLURM_MEM_PER_NODE": "",
                "SLURM_MEM_PER_GPU": "2048",
                "CUDA_VISIBLE_DEVICES": "0,1",
            },
            4 * GIB,
        ),
    ],
)
def test_memory_is_said_in_several_ways(environment: dict[str, str], memory: int) -> None:
    assert read(had(gpus=4), **environment).memory == memory


@pytest.mark.parametrize(
    ("seen", "changes", "told"),
    [
        (had(cores=2), {}, "was given 4 CPUs, and may run on 2 of them"),
        (
            had(memory=8 * GIB),
            {},
            "was given 16.0 GiB of memory, and its control group or the machine allows 8.0",
        ),
        (had(gpus=1), {"CUDA_VISIBLE_DEVICES": "0,1"}, "was given 2 GPUs .0,1., and the driver shows GPU-aa"),
        (had(), {"SLURM_GPUS_ON_NODE": "1"}, "was given 1 GPUs .none is named., and the driver shows none"),
        (had(gpus=2), {"CUDA_VISIBLE_DEVICES": "0,0"}, "was given 2 GPUs"),
        (had(), {"SLURM_LOCALID": "1"}, "start one for each node"),
    ],
)
def test_an_allocation_smaller_than_it_claims_is_refused(
    seen: Had, changes: dict[str, str], told: str
) -> None:
    with pytest.raises(TooSmall, match=told):
        read(seen, **changes)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"PROCTOR_SLOT_CPUS": "5"}, "PROCTOR_SLOT_CPUS claims 5, and Slurm job 17 on n1 has 4"),
        ({"PROCTOR_SLOT_MEMORY": str(17 * GIB)}, "PROCTOR_SLOT_MEMORY claims"),
        ({"PROCTOR_SLOT_GPU": "GPU-dd"}, "none of the GPUs that Slurm job 17 on n1 has: GPU-aa"),
    ],
)
def test_a_slot_that_claims_more_than_the_allocation_is_refused(claims: dict[str, str], told: str) -> None:
    with pytest.raises(TooSmall, match=told):
        read(had(gpus=1), CUDA_VISIBLE_DEVICES="0").shares(1, claims)


def test_a_slot_may_claim_less() -> None:
    gpus = read(had(gpus=2), CUDA_VISIBLE_DEVICES="0,1")
    (share,) = gpus.shares(1, {"PROCTOR_SLOT_CPUS": "2", "PROCTOR_SLOT_GPU": "GPU-bb"})
    assert (share["PROCTOR_SLOT_CPUS"], share["PROCTOR_SLOT_GPU"]) == ("2", "GPU-bb")


def test_more_slots_than_cpus_are_refused() -> None:
    with pytest.raises(TooSmall, match="too little for 5 slots"):
        read().shares(5, {})


def test_the_bounds_of_all_control_groups_around_count(tmp_path: Path) -> None:
    for path, bound in {
        "memory/slurm/job_17/memory.limit_in_bytes": "300",
        "memory/slurm/memory.limit_in_bytes": "200",
        "a/b/memory.max": "max",
        "a/memory.max": "100",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(bound + "\n")
    assert memory_bounds("9:cpuset:/\n4:memory:/slurm/job_17/step_batch\n", tmp_path) == [300, 200]
    assert memory_bounds("0::/a/b\n", tmp_path) == [100]


@pytest.mark.parametrize(
    ("left", "asked", "grace"),
    [
        (300, 280, 280),  # the time limit comes, as --signal=B:TERM@300 says
        (200, 280, 190),
        (5, 280, 0),
        (3600, 280, 20),  # cancelled, preempted or put back: killed within KillWait
        (3600, 10, 10),
    ],
)
def test_the_grace_ends_before_slurm_kills(left: float, asked: float, grace: float) -> None:
    assert grace_left(asked, {"SLURM_JOB_END_TIME": "10000"}, 10000 - left) == grace


def test_where_nobody_knows_when_a_job_ends_the_grace_is_what_was_asked_or_short() -> None:
    assert grace_left(50, {}, 0) == 50
    assert grace_left(None, {"SLURM_JOB_END_TIME": ""}, 0) == 20
    assert grace_left(None, {"SLURM_JOB_END_TIME": "300"}, 0) == 280


@pytest.mark.parametrize(("said", "told"), [("2026-12-01T08:00:00", True), ("N/A", False), ("", False)])
def test_slurm_is_asked_when_a_job_ends(
    said: str, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "squeue"
    tool.write_text(f"#!/bin/sh\necho '{said}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert end_told("17") == (str(int(datetime(2026, 12, 1, 8).timestamp())) if told else "")


def test_a_job_knows_that_it_was_put_back() -> None:
    assert was_put_back({"SLURM_RESTART_COUNT": "1"})
    assert not was_put_back({"SLURM_RESTART_COUNT": "0"})
    assert not was_put_back({})
