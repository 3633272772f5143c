"""What a pod was given, from its environment and from what the node shows; nothing is guessed about GPUs."""

from pathlib import Path

import pytest

from sandbox.gpu import InstalledGpu
from worker.run.allocation import Allocation, Had, TooSmall
from worker.run.pod import cpu_quota, pod

GIB = 2**30
GPUS = tuple(InstalledGpu(f"GPU-{letter}{letter}", 80 * GIB, "A card", "1.0") for letter in "abcd")
POD = {
    "PROCTOR_POD_NODE": "gpu-node-7",
    "PROCTOR_POD_CPUS": "4000",
    "PROCTOR_POD_MEMORY": str(16 * GIB),
    "PROCTOR_POD_GPUS": "0",
}


def read(gpus: int = 0, quota: float | None = 4.0, memory: int = 16 * GIB, **changes: str) -> Allocation:
    return pod(POD | changes, Had(frozenset(range(32)), memory, GPUS[:gpus]), quota)


def test_a_pod_without_a_gpu_has_one_slot_of_what_it_reserved() -> None:
    (share,) = read(gpus=4).shares(1, {})
    assert share == {"PROCTOR_SLOT_CPUS": "4", "PROCTOR_SLOT_MEMORY": str(16 * GIB - 256 * 2**20)}


def test_a_slot_for_each_gpu_that_the_device_plugin_names_and_for_no_other() -> None:
    named = {"PROCTOR_POD_GPUS": "2", "NVIDIA_VISIBLE_DEVICES": "GPU-dd,GPU-bb"}
    shares = read(gpus=4, **named).shares(1, {})
    assert [share["PROCTOR_SLOT_GPU"] for share in shares] == ["GPU-bb", "GPU-dd"]
    assert [share["PROCTOR_SLOT_CPUS"] for share in shares] == ["2", "2"]


@pytest.mark.parametrize("named", ["all", "void", "", "GPU-aa", "GPU-a", "0,1"])
def test_gpus_that_nobody_names_are_taken_only_where_there_are_no_others(named: str) -> None:
    given = {"PROCTOR_POD_GPUS": "2", "NVIDIA_VISIBLE_DEVICES": named}
    with pytest.raises(TooSmall, match="was given 2 GPUs"):
        read(gpus=4, **given)
    if named != "GPU-aa":
        assert len(read(gpus=2, **given).gpus) == 2


@pytest.mark.parametrize(
    ("less", "said"),
    [({"quota": 2.5}, "allows 2.5"), ({"memory": 8 * GIB}, "allows 8.0 GiB")],
)
def test_a_pod_that_has_less_than_it_was_given_takes_no_case(less: dict[str, float], said: str) -> None:
    with pytest.raises(TooSmall, match=said):
        read(**less)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["PROCTOR_POD_CPUS", "PROCTOR_POD_MEMORY", "PROCTOR_POD_GPUS"])
def test_a_manifest_that_does_not_tell_is_named(name: str) -> None:
    with pytest.raises(TooSmall, match=f"{name} is no number"):
        read(**{name: "4Gi"})


def test_the_tightest_quota_of_its_control_groups_holds(tmp_path: Path) -> None:
    inner = tmp_path / "kubepods.slice" / "pod.slice"
    inner.mkdir(parents=True)
    (inner / "cpu.max").write_text("400000 100000\n")
    (inner.parent / "cpu.max").write_text("max 100000\n")
    assert cpu_quota("0::/kubepods.slice/pod.slice\n", tmp_path) == 4.0
    old = tmp_path / "cpu" / "kubepods"
    old.mkdir(parents=True)
    (old / "cpu.cfs_quota_us").write_text("150000\n")
    (old / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota("3:cpu,cpuacct:/kubepods\n", tmp_path) == 1.5
    (old / "cpu.cfs_quota_us").write_text("-1\n")
    assert cpu_quota("3:cpu,cpuacct:/kubepods\n", tmp_path) is None
