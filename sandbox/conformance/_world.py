"""What a container sees of its world, judged by the host, which knows what must not be in it."""

import ast
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

World = Mapping[str, Any]
_EXPECTED = {
    *(
        "HOME",
        "HOSTNAME",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "PATH",
        "PROCTOR_SECONDS",
        "PROCTOR_TASK",
        "PROCTOR_TRACK",
        "PYTHONUNBUFFERED",
    ),
    *("NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_VISIBLE_DEVICES"),
}
_TARGETS = (
    *("/", "/proc", "/sys", "/dev", "/input", "/output", "/proctor", "/tmp"),  # noqa: S108 - paths inside
    *("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/sbin/docker-init"),
    *("/run/podman-init", "/run/.containerenv"),
)
_PLACES = ("/proc/self/mountinfo", "/proc/self/cgroup", "/etc/hosts", "/etc/hostname", "environment", "uname")
_NAMES_A_HOST = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "environment", "uname")
_TELLING = 4  # letters; a shorter name is also a word of its own


@dataclass
class Said:
    """What the program reported: acts by name (None means denied), and its world."""

    acts: dict[str, str | None] = field(default_factory=dict)
    world: dict[str, Any] = field(default_factory=dict)


def said(log: str) -> Said:
    """The report in a container's log; lines that are none of it are passed over."""
    report = Said()
    for line in log.splitlines():
        try:
            kind, name, value = ast.literal_eval(line)
        except (ValueError, SyntaxError, TypeError):
            continue
        (report.acts if kind == "act" else report.world)[name] = value
    return report


def _mounts(world: World, canary: str) -> str | None:
    lines = str(world["/proc/self/mountinfo"]).splitlines()
    targets = [line.split()[4] for line in lines]
    more = [target for target in targets if not _expected(target)]
    return f"mounts at {more}" if more else None


def _expected(target: str) -> bool:
    return target in _TARGETS or target.startswith(("/proc/", "/sys/", "/dev/"))


def _names(world: World, canary: str) -> str | None:
    shown = [name for name in _PLACES if canary in repr(world[name])]
    return f"{shown} name the case" if shown else None


def _environment(world: World, canary: str) -> str | None:
    more = set(world["environment"]) - _EXPECTED
    steering = [name for name in ("LD_PRELOAD", "LD_AUDIT") if world["environment"].get(name)]
    return f"has {sorted(more)} {steering}" if more or steering else None


def _host_name(world: World, canary: str) -> str | None:
    name = platform.node()
    if world["uname"][1] != "proctor":
        return f"is called {world['uname'][1]}"
    if len(name) < _TELLING:
        return None
    shown = [where for where in _NAMES_A_HOST if name in re.split(r"[^\w-]+", repr(world[where]))]
    return f"{shown} name the host" if shown else None


def _groups(world: World, canary: str) -> str | None:
    paths = [line.split(":", 2)[2] for line in str(world["/proc/self/cgroup"]).splitlines()]
    return f"shows the groups {paths}" if any(path not in ("/", "") for path in paths) else None


JUDGES: dict[str, tuple[str, Callable[[World, str], str | None]]] = {
    "mounts": ("mounts but the case's own places", _mounts),
    "names of cases": (
        "names of data sets, cases and files of the host in mounts, groups and variables",
        _names,
    ),
    "environment": ("variables of the host, and those that steer the host's own tools", _environment),
    "name of the host": ("the host's name", _host_name),
    "names of control groups": ("the host's tree of control groups", _groups),
}
"""Rows that the host judges: what is denied, and the judge of the world and a name that must not be in it."""
