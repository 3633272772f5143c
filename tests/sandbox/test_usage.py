"""What a container used, as the kernel's and the driver's own words tell it."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from sandbox import cgroups
from sandbox.cgroups import Cgroup, Usage
from sandbox.gpu import InstalledGpu, Sampler, gpus, peak

V1 = {
    "memory": {"memory.max_usage_in_bytes": "4096\n", "memory.usage_in_bytes": "100\n"},
    "cpuacct": {"cpuacct.usage": "1500000000\n"},
    "pids": {"pids.current": "3\n"},
}
V2 = {
    "memory.peak": "8192\n",
    "memory.current": "100\n",
    "memory.events": "low 0\noom 1\noom_kill 1\n",
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\n",
    "pids.current": "2\n",
    "pids.peak": "7\n",
}


def write(top: Path, files: dict[str, str]) -> None:
    top.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (top / name).write_text(text)


def test_both_versions_of_control_groups_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_ROOT", tmp_path)
    for controller, files in V1.items():
        write(tmp_path / controller / "proctor" / "old", files)
    write(tmp_path / "proctor" / "new", V2)
    host = {"CgroupDriver": "cgroupfs", "CgroupVersion": "1"}
    old = Cgroup("old", host, privileged=True).read("container")
    assert (old.memory, old.cpu_seconds, old.processes, old.oom_kills) == (4096, 1.5, 3, 0)
    new = Cgroup("new", host | {"CgroupVersion": "2"}, privileged=True).read("container")
    assert (new.memory, new.cpu_seconds, new.processes, new.oom_kills) == (8192, 2.5, 7, 1)


def test_what_the_host_hides_is_not_known() -> None:
    usage = Cgroup("hidden", {"CgroupDriver": "systemd", "CgroupVersion": "2"}, privileged=True).read("x")
    assert (usage.memory, usage.cpu_seconds, usage.processes) == (None, None, None)


def test_the_largest_memory_that_the_driver_tells_is_the_peak() -> None:
    assert peak(["512\n", "81559\n", "1024\n"]) == 81559 * 2**20
    assert peak(["[N/A]\n", "[Not Supported]\n", "\n"]) is None
    assert peak(["[N/A]\n", " 7\n"]) == 7 * 2**20
    assert peak([]) is None


def test_gpus_are_those_that_the_tool_lists_also_where_it_knows_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert gpus() == []
    tool.write_text(
        "#!/bin/sh\necho 'GPU-1, 143771, NVIDIA H200, 570.1'; echo 'GPU-2, [N/A], NVIDIA GB10, 580.9'\n"
    )
    tool.chmod(0o755)
    assert gpus() == [
        InstalledGpu("GPU-1", 143771 * 2**20, "NVIDIA H200", "570.1"),
        InstalledGpu("GPU-2", 0, "NVIDIA GB10", "580.9"),
    ]
    tool.write_text("#!/bin/sh\necho 'No devices were found'; exit 6\n")
    assert gpus() == []


def test_the_tool_is_asked_for_this_gpu_until_the_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f'#!/bin/sh\necho "$*" > {said}\necho 3; echo 900; echo 5\nexec sleep 60\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with Sampler("GPU-1") as sampler:
        deadline = time.monotonic() + 20
        while sampler.peak != 900 * 2**20:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert "--id=GPU-1" in said.read_text()
    with Sampler(None) as nothing:
        pass
    assert nothing.peak is None


def test_the_host_s_own_figures_are_never_those_of_a_container_that_has_just_ended() -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # it stays there, without a group of its own
    group = Cgroup("ended", {"CgroupVersion": "1"}, privileged=False)
    group.follow(ended.pid)
    ended.wait()
    assert group.read("-") == Usage()
