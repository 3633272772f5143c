"""The one place where container options are built, for the engine in full and for the receipt without paths.

Profile `compatible` bears what real images do: the image's own USER and HOME, a writable ephemeral root, an
executable /tmp that keeps what the image made there, and root that may read files of other users. Profile
`strict` adds a read-only root and an unprivileged user.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import seccomp
from sandbox.disks import Disk
from sandbox.jobs import CaseJob, Slot

INPUT, OUTPUT, WORK, TMP = "/input", "/output", "/proctor", "/tmp"  # noqa: S108 - paths inside the container
MAX_VOLUMES = 8
_NOFILE = 16_384  # an engine cannot grant more than its own hard limit
_LEAST_SHM = 64 * 2**20
_STRICT_USER = "61000:61000"


@dataclass(frozen=True)
class Host:
    """What the options need to know of this host."""

    cpus: int
    cgroup_parent: str | None


@dataclass(frozen=True)
class Mounts:
    """Where a case's files are: the staged inputs, and a disk per writable path where disks can be made."""

    inputs: Path
    disks: Mapping[str, Disk]


def volumes_to_bound(image: Mapping[str, Any]) -> list[str]:
    """The VOLUMEs an image declares that need a disk of their own: those that we do not mount anyway."""
    declared = (image.get("Config") or {}).get("Volumes") or {}
    ours = {INPUT, OUTPUT, WORK, TMP}
    return sorted(path for path in declared if path.rstrip("/") not in ours)


def build(job: CaseJob, host: Host, mounts: Mounts) -> dict[str, Any]:
    """The body of the engine's create call for one case."""
    arguments = job.task.arguments(set(job.inputs), job.pseudonym)
    config: dict[str, Any] = {
        "Image": job.image,
        "Cmd": arguments,
        "Env": environment(job),
        "WorkingDir": WORK,
        "Hostname": "proctor",
        "Healthcheck": {"Test": ["NONE"]},
        "NetworkDisabled": True,
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "HostConfig": _host_config(job, host, mounts),
    }
    if job.task.call is not None:
        config["Entrypoint"] = list(job.task.call)
    if job.limits.profile == "strict":
        config["User"] = _STRICT_USER
    return config


def environment(job: CaseJob) -> list[str]:
    """What we set over the image's environment: the task, and what would steer the host's own tools."""
    return [
        f"PROCTOR_TASK={job.task_name}",
        f"PROCTOR_TRACK={job.track}",
        "LD_PRELOAD=",
        f"NVIDIA_VISIBLE_DEVICES={job.slot.gpu_uuid or 'void'}",
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ]


def _host_config(job: CaseJob, host: Host, mounts: Mounts) -> dict[str, Any]:
    limits = job.limits
    config: dict[str, Any] = {
        "NetworkMode": "none",
        "Dns": ["127.0.0.1"],  # else the host's resolver addresses show in /etc/resolv.conf
        "CapDrop": ["ALL"],
        "CapAdd": ["DAC_OVERRIDE"] if limits.profile == "compatible" else [],
        "SecurityOpt": ["no-new-privileges:true", f"seccomp={seccomp.profile()}"],
        "ReadonlyRootfs": limits.profile == "strict",
        "PidsLimit": limits.processes,
        "Memory": (memory := min(limits.memory, job.slot.memory or limits.memory)),
        "MemorySwap": memory,
        "OomScoreAdj": 1000,
        **_processors(limits.cpus, job.slot, host.cpus),
        "Ulimits": _ulimits(limits.disk),
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "ShmSize": max(limits.shm, _LEAST_SHM),
        "Init": True,
        "RestartPolicy": {"Name": "no"},
        "LogConfig": _log_config(limits.log),
        "Mounts": _mounts(mounts),
        "DeviceRequests": _gpus(job.slot),
    }
    if host.cgroup_parent is not None:
        config["CgroupParent"] = host.cgroup_parent
    return config


def _processors(cpus: float, slot: Slot, host_cpus: int) -> dict[str, Any]:
    """As many of the slot's own cores as the task may have, whole; a quota only for a part of one, or without cores.

    A quota stops a program with many threads in the middle of every tenth of a second, so clocks would differ.
    """
    if slot.cpuset is None:
        return {"NanoCpus": int(min(cpus, host_cpus) * 1e9), "CpusetCpus": ""}
    own = sorted(cores(slot.cpuset))[: math.ceil(cpus)]
    return {
        "NanoCpus": int(cpus * 1e9) if cpus < len(own) else 0,
        "CpusetCpus": ",".join(map(str, own)),
    }


def cores(cpuset: str) -> set[int]:
    """The cores in a list such as `0-3,8`."""
    found: set[int] = set()
    for part in cpuset.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _ulimits(file_size: int) -> list[dict[str, Any]]:
    values = {"core": 0, "nofile": _NOFILE, "fsize": file_size}
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in values.items()]


def _log_config(tail: int) -> dict[str, Any]:
    """Two files of which the older is dropped whole: at least `tail` bytes stay, and disk use is bounded."""
    return {"Type": "json-file", "Config": {"max-size": str(max(4 * tail, 64 * 1024)), "max-file": "2"}}


def _mounts(mounts: Mounts) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "Type": "bind",
            "Source": str(mounts.inputs),
            "Target": INPUT,
            "ReadOnly": True,
            "BindOptions": {"Propagation": "rprivate"},
        }
    ]
    for target, disk in mounts.disks.items():
        options = {"NoCopy": target in (OUTPUT, WORK), "DriverConfig": disk.driver_config}
        found.append({"Type": "volume", "Source": disk.volume, "Target": target, "VolumeOptions": options})
    return found


def _gpus(slot: Slot) -> list[dict[str, Any]]:
    if slot.gpu_uuid is None:
        return []
    return [
        {"Driver": "", "Count": 0, "DeviceIDs": [slot.gpu_uuid], "Capabilities": [["gpu"]], "Options": {}}
    ]


def receipt(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options without host paths and pseudonym, and with the system call profile by its digest."""
    shown = copy.deepcopy(dict(config))
    shown.pop("Cmd", None)
    host = shown["HostConfig"]
    host.pop("CgroupParent", None)
    host["SecurityOpt"] = ["no-new-privileges:true", f"seccomp={seccomp.digest()}"]
    host["Mounts"] = [
        {"Target": mount["Target"], "Type": mount["Type"], "ReadOnly": mount.get("ReadOnly", False)}
        for mount in host["Mounts"]
    ]
    return shown
