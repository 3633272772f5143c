"""The one place where container options are built, for the engine in full and for the receipt without paths.

Profile `compatible` bears what real images do: the image's own USER and HOME, a writable ephemeral root, an
executable /tmp that keeps what the image made there, and root that may read files of other users. Profile
`strict` has a read-only root, the slot's own unprivileged user, and executes nothing that was written meanwhile.
"""

import copy
import math
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.verdicts import PlatformFault
from sandbox import seccomp
from sandbox.disks import BoundedDisk
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, Slot

INPUT, OUTPUT, WORK, TMP = "/input", "/output", "/proctor", "/tmp"  # noqa: S108 - paths inside the container
MAX_VOLUMES = 8
OPEN_FILES = 16_384  # an engine cannot grant more than its own hard limit
PENDING_SIGNALS = 1024
QUEUE_BYTES = 256 * 1024
"""What the kernel counts by user, containers of one user and the host together: a container is refused beyond this sum,
so that the host, whose own bounds are far higher, keeps the rest."""
FILE_TIME = 315_532_800
"""The time of every input inside, 1980 began then: a scan's own time, or a download's, could tell something."""
RUNTIMES = ("runc", "runsc")
_LEAST_SHM = 64 * 2**20
_NEVER_VOLUMES = (INPUT, "/proc", "/sys", "/dev")
_LIBRARIES = "LD_LIBRARY_PATH"
_UNBUFFERED = "PYTHONUNBUFFERED"  # else a program that is killed leaves an empty log
_OURS = ("PROCTOR_", "NVIDIA_VISIBLE_DEVICES=", "NVIDIA_DRIVER_CAPABILITIES=")
_ELSEWHERE = "/volumes"
# Read by the loader and by the NVIDIA toolkit, on the host and as root, from the variables of whatever image starts.
_STEERS_THE_HOST = (
    *("GCONV_PATH", "LD_AUDIT", "LD_DEBUG_OUTPUT", "NVIDIA_DISABLE_REQUIRE", "NVIDIA_FABRIC_DEVICES"),
    *("NVIDIA_GDRCOPY", "NVIDIA_GDS", "NVIDIA_IMEX_CHANNELS", "NVIDIA_MIG_CONFIG_DEVICES"),
    *("NVIDIA_MIG_MONITOR_DEVICES", "NVIDIA_MOFED", "NVIDIA_NVSWITCH"),
)
# What an engine masks by default, and what tells of the host's hardware, of its disks, and of other cases at work:
# `virtual/block` names the file behind every loop device, which is another case's disk.
_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/diskstats", "/proc/fs", "/proc/interrupts", "/proc/kallsyms"),
    *("/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/pagetypeinfo", "/proc/partitions"),
    *("/proc/sched_debug", "/proc/scsi", "/proc/slabinfo", "/proc/timer_list", "/proc/timer_stats"),
    *("/proc/vmallocinfo", "/sys/devices/virtual/block", "/sys/devices/virtual/dmi"),
    *("/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/ext4"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup")


@dataclass(frozen=True)
class Host:
    """What the options need to know of this host."""

    cpus: int
    cgroup_parent: str | None


@dataclass(frozen=True)
class Mounts:
    """Where a case's files are: the staged inputs, and a disk per writable path where disks can be made."""

    inputs: Path
    disks: Mapping[str, BoundedDisk]


def volumes_to_bound(image: Mapping[str, Any]) -> list[str]:
    """The VOLUMEs an image declares that need a disk of their own: those that we do not mount anyway."""
    declared = (image.get("Config") or {}).get("Volumes") or {}
    ours = {INPUT, OUTPUT, WORK, TMP}
    return sorted(path for path in declared if posixpath.normpath(path) not in ours)


def refused_volumes(image: Mapping[str, Any]) -> str | None:
    """A sentence for the participant if the image declares VOLUMEs that no container can have; else None."""
    declared = [posixpath.normpath(path) for path in volumes_to_bound(image)]
    if len(declared) > MAX_VOLUMES:
        return f"The image declares more than {MAX_VOLUMES} VOLUMEs."
    for path in declared:
        if not path.startswith("/") or not path.strip("/"):
            return "The image declares a VOLUME that is no directory below /: remove it from the Dockerfile."
        if any(path == top or path.startswith(top + "/") for top in _NEVER_VOLUMES):
            places = ", ".join(_NEVER_VOLUMES)
            return f"The image declares a VOLUME in one of {places}: remove it from the Dockerfile."
    return None


def build(job: CaseJob, host: Host, mounts: Mounts, image: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body of the engine's create call for one case; `image` is the engine's description of its image.

    Raises:
        EngineFault: the profile is `strict` and this process cannot make disks; nothing else could be written to.
    """
    if job.limits.profile == "strict" and OUTPUT not in mounts.disks:
        message = "the profile `strict` needs bounded disks: run the worker as root, with mkfs.ext4 and loop devices"
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, message)
    arguments = job.task.arguments(set(job.inputs), job.pseudonym)
    config: dict[str, Any] = {
        "Image": job.image,
        "Cmd": arguments,
        "Env": environment(job, image or {}),
        "WorkingDir": WORK,
        "Hostname": "proctor",
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGKILL",
        "NetworkDisabled": True,
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "HostConfig": _host_config(job, host, mounts),
    }
    if job.task.call is not None:
        config["Entrypoint"] = list(job.task.call)
    if job.limits.profile == "strict":
        config["User"] = f"{job.slot.uid}:{job.slot.uid}"
    return config


def for_another(config: Mapping[str, Any], image: str, program: str) -> dict[str, Any]:
    """The options of `config` for another image and a program in it, without anything that the first image chose."""
    host = config["HostConfig"]
    mounts = [
        mount
        if mount["Target"] in (INPUT, OUTPUT, WORK, TMP)
        else mount | {"Target": f"{_ELSEWHERE}/{number}"}
        for number, mount in enumerate(map(_uncopied, host["Mounts"]))
    ]
    kept = [variable for variable in config["Env"] if variable.startswith(_OURS)]
    changed = {"Image": image, "Entrypoint": [program], "Cmd": [], "Env": kept}
    return {**config, **changed, "HostConfig": {**host, "Mounts": mounts}}


def _uncopied(mount: dict[str, Any]) -> dict[str, Any]:
    """The same mount, which takes nothing of the image: an engine may do that only once for each disk."""
    if mount["Type"] != "volume":
        return mount
    return mount | {"VolumeOptions": mount["VolumeOptions"] | {"NoCopy": True}}


def runtime(job: CaseJob) -> str:
    """The container runtime of a job: the challenge's, else the worker's."""
    return job.limits.runtime or job.slot.runtime


def environment(job: CaseJob, image: Mapping[str, Any]) -> list[str]:
    """What we set over the image's environment: the task, its time, and what would steer the host's own tools."""
    declared = dict(variable.partition("=")[::2] for variable in (image.get("Config") or {}).get("Env") or ())
    steering = {name: "" for name in _STEERS_THE_HOST if name in declared}
    if _LIBRARIES in declared:
        steering[_LIBRARIES] = _only_absolute(declared[_LIBRARIES])
    ours = {
        "PROCTOR_TASK": job.task_name,
        "PROCTOR_TRACK": job.track,
        "PROCTOR_SECONDS": f"{job.limits.seconds_per_case:g}",
        "LD_PRELOAD": "",
        "NVIDIA_VISIBLE_DEVICES": job.slot.gpu_uuid or "void",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    }
    if _UNBUFFERED not in declared:
        ours[_UNBUFFERED] = "1"
    return [f"{name}={value}" for name, value in (steering | ours).items()]


def _only_absolute(path: str) -> str:
    """A search path without the entries that a tool of the host would look up in the image's files."""
    kept = [
        folder
        for folder in path.split(":")
        if folder.startswith("/") and not folder.startswith(("/proc/", "/dev/"))
    ]
    return ":".join(kept)


def _host_config(job: CaseJob, host: Host, mounts: Mounts) -> dict[str, Any]:
    limits = job.limits
    config: dict[str, Any] = {
        "Runtime": runtime(job),  # never the engine's own default, which may hand out every GPU
        "NetworkMode": "none",
        "Dns": ["127.0.0.1"],  # else the host's resolver addresses show in /etc/resolv.conf
        "CapDrop": ["ALL"],
        "CapAdd": ["DAC_OVERRIDE"] if limits.profile == "compatible" else [],
        "SecurityOpt": ["no-new-privileges:true", f"seccomp={seccomp.profile()}"],
        "MaskedPaths": list(_MASKED),
        "ReadonlyPaths": list(_READ_ONLY),
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
        "Mounts": _mounts(mounts, executable=limits.profile != "strict"),
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
    numbers: set[int] = set()
    for part in cpuset.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def largest_file(disk: int) -> int:
    """Bytes that one file may have: more than all may, so that whoever writes it is told that the disk is full."""
    return disk + 2**20


def _ulimits(disk: int) -> list[dict[str, Any]]:
    values = {
        "core": 0,
        "nofile": OPEN_FILES,
        "fsize": largest_file(disk),
        "sigpending": PENDING_SIGNALS,
        "msgqueue": QUEUE_BYTES,
    }
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in values.items()]


def _log_config(tail: int) -> dict[str, Any]:
    """Two files of which the older is dropped whole: at least `tail` bytes stay, and disk use is bounded."""
    return {"Type": "json-file", "Config": {"max-size": str(max(4 * tail, 64 * 1024)), "max-file": "2"}}


def _mounts(mounts: Mounts, *, executable: bool) -> list[dict[str, Any]]:
    binds: list[dict[str, Any]] = [
        {
            "Type": "bind",
            "Source": str(mounts.inputs),
            "Target": INPUT,
            "ReadOnly": True,
            "BindOptions": {"Propagation": "rprivate"},
        }
    ]
    for target, disk in mounts.disks.items():
        driver = disk.driver_config if executable else _without_programs(disk.driver_config)
        options = {"NoCopy": target in (OUTPUT, WORK), "DriverConfig": driver}
        binds.append({"Type": "volume", "Source": disk.volume, "Target": target, "VolumeOptions": options})
    return binds


def _without_programs(driver: dict[str, Any]) -> dict[str, Any]:
    """The same disk, but nothing on it can be executed."""
    return driver | {"Options": driver["Options"] | {"o": driver["Options"]["o"] + ",noexec"}}


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
