"""Which bounds hold on this host, and what a person can do about those that do not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox import apptainer_bounds, cgroups, podman_bounds
from sandbox.engine import Engine
from sandbox.findings import BoundFinding, Level

_LEAST_FREE = 10 * 2**30
_COUNTED_BYTES = 160
"""No open file and no watch of epoll takes less of the kernel's memory, which control groups count."""
_ANY_FILES = 2**63 - 1
_OVERLAYS = ("overlay2", "overlay")
_CONTAINERD = "io.containerd.snapshotter.v1"


def report(engine: Engine) -> list[BoundFinding]:
    """Look at the engine and at this host; nothing is started or changed.

    Raises:
        EngineFault: the engine does not answer.
    """
    info = engine.info()
    if engine.raw.kind == "apptainer":
        found = (_platform, _core_dumps, _counters, _space)
        return [check(engine, info) for check in found] + apptainer_bounds.findings(engine)
    checks: tuple[Callable[[Engine, dict[str, Any]], BoundFinding], ...] = (
        _platform,
        _image_store,
        _seccomp,
        _memory,
        _processes,
        _cores,
        _output_disk,
        _root_layer,
        _usage,
        _init,
        _core_dumps,
        _counters,
        _space,
    )
    return [check(engine, info) for check in checks] + podman_bounds.findings(engine, info)


def _platform(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    text = (
        f"{info.get('Engine', 'Docker')} {info['ServerVersion']} on {info['OSType']}/{info['Architecture']}"
    )
    if info["OSType"] == "linux" and info["Architecture"] in ("x86_64", "amd64"):
        return BoundFinding("engine", "ok", text)
    return BoundFinding("engine", "problem", text, "Images are built for linux/amd64: use such a host.")


def _image_store(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    kept = {str(value) for _, value in info.get("DriverStatus") or ()}
    if _CONTAINERD not in kept:
        return BoundFinding("images", "ok", "The engine knows images by the digest of their configuration.")
    message = (
        "The engine keeps images in containerd's store, where their ids are others: no image can be run."
    )
    remedy = 'Set {"features": {"containerd-snapshotter": false}} in /etc/docker/daemon.json and restart the engine.'
    return BoundFinding("images", "problem", message, remedy)


def _seccomp(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    if any("name=seccomp" in option for option in info.get("SecurityOptions") or ()):
        return BoundFinding("system calls", "ok", "Containers may make listed system calls only.")
    return BoundFinding(
        "system calls", "problem", "The engine has no seccomp.", "Use a kernel and an engine with seccomp."
    )


def _memory(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    if info.get("MemoryLimit") and info.get("SwapLimit"):
        return BoundFinding("memory", "ok", "Memory and swap are bounded by control groups.")
    remedy = "Enable the memory controller with swap accounting (kernel option swapaccount=1)."
    level: Level = "warning" if info.get("MemoryLimit") else "problem"
    return BoundFinding("memory", level, "Swap, or memory as well, is not bounded.", remedy)


def _processes(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    if info.get("PidsLimit"):
        return BoundFinding("processes", "ok", "The number of processes is bounded by control groups.")
    return BoundFinding("processes", "problem", "Processes are not bounded.", "Enable the pids controller.")


def _cores(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    if info.get("CPUSet") and info.get("CpuCfsQuota"):
        return BoundFinding("cores", "ok", f"Processor time is bounded; the host has {info['NCPU']} cores.")
    return BoundFinding(
        "cores", "warning", "Processor time is not bounded.", "Enable the cpu and cpuset controllers."
    )


def _output_disk(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    name = "/output, /tmp, working directory"
    if engine.privileged:
        return BoundFinding(
            name, "ok", "Each is a file system of its own with a fixed size and number of files."
        )
    message = "They are part of the container's layer, which a watchdog measures from time to time."
    return BoundFinding(name, "warning", message, "Run the worker as root with mkfs.ext4 and loop devices.")


def _root_layer(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    upper = Path(info["DockerRootDir"]) / info["Driver"]
    if engine.privileged and info["Driver"] in _OVERLAYS and os.access(upper, os.R_OK | os.X_OK):
        return BoundFinding("root file system", "ok", "A watchdog measures the layer twice a second.")
    message = (
        "A watchdog asks the engine for the layer's size every two seconds; deleted open files are not seen."
    )
    return BoundFinding(
        "root file system", "warning", message, "Run the worker as root beside the engine, with overlay2."
    )


def _usage(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    if engine.privileged and cgroups.usable(info):
        return BoundFinding("measurements", "ok", "Peak memory and processes are read from control groups.")
    if engine.privileged:
        message = (
            "Peaks are read while a container runs: those of its last quarter of a second may be missed."
        )
        return BoundFinding("measurements", "warning", message, "Use the cgroupfs driver.")
    message = "Peak memory is not recorded, and a container with too many processes is only seen to fail."
    return BoundFinding("measurements", "warning", message, "Run the worker as root.")


def _init(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    if info.get("InitBinary"):
        return BoundFinding("init", "ok", "Left processes are reaped by the engine's init.")
    remedy = "Install catatonit." if engine.raw.kind == "podman" else "Install docker-init (tini)."
    return BoundFinding("init", "problem", "The engine has no init program.", remedy)


def _core_dumps(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    return core_dumps(Path("/proc/sys/kernel/core_pattern").read_text())


def core_dumps(pattern: str) -> BoundFinding:
    """Whether the kernel hands the memory of crashed processes to a program; `pattern` is its own setting."""
    if not pattern.startswith("|"):
        return BoundFinding("core dumps", "ok", "Crashed processes of containers leave nothing.")
    message = (
        "The kernel gives the memory of every crashed process, containers' too, to a program of the host."
    )
    return BoundFinding(
        "core dumps", "warning", message, "sysctl -w kernel.core_pattern=core on hosts that run cases."
    )


def _counters(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    return counters(Path("/proc/sys/fs"), int(info["MemTotal"]))


def counters(top: Path, memory: int) -> BoundFinding:
    """What the kernel counts for all containers together, or by user, and one of them could use up for the others.

    Each thing that is counted takes bounded memory of whoever makes it, so where more are allowed than fit into the
    host's `memory`, in bytes, that bound is the only one that is met. top: /proc/sys/fs.
    """
    most = memory // _COUNTED_BYTES
    low = {
        "fs.file-max": (top / "file-max", _ANY_FILES),
        "fs.epoll.max_user_watches": (top / "epoll" / "max_user_watches", most),
    }
    wanted = {name: value for name, (file, value) in low.items() if _setting(file, most) < most}
    if _setting(top / "pipe-user-pages-soft", 0) > 0:
        wanted["fs.pipe-user-pages-soft"] = 0
    if not wanted:
        return BoundFinding(
            "kernel's counters", "ok", "A container meets its bound of memory before those of the kernel."
        )
    message = (
        f"One container can use up {', '.join(wanted)} for its user's others and the host, within its memory."
    )
    remedy = "sysctl -w " + " ".join(f"{name}={value}" for name, value in wanted.items())
    return BoundFinding(
        "kernel's counters", "warning", message, f"{remedy} (and in /etc/sysctl.d); or the profile strict."
    )


def _setting(file: Path, otherwise: int) -> int:
    """A number of the kernel's; `otherwise` where this kernel does not have it."""
    try:
        return int(file.read_text())
    except OSError:
        return otherwise


def _space(engine: Engine, info: dict[str, Any]) -> BoundFinding:
    root = Path(info["DockerRootDir"])
    if not root.is_dir():
        return BoundFinding("space", "warning", "The engine's directory cannot be seen from here.")
    free = shutil.disk_usage(root).free
    text = f"{free / 2**30:.0f} GiB are free where the engine keeps images."
    if free >= _LEAST_FREE:
        return BoundFinding("space", "ok", text)
    return BoundFinding("space", "problem", text, "Free some space: images alone take up to 20 GB each.")
