"""What a container used, read from the control groups of this host, where they can be read.

Every container gets a parent group of its own. The container's group vanishes with it; the parent keeps the
peaks of memory and processes and the processor time until it is removed, so that they are exact even for a very
short container.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.notices import Notices

_ROOT = Path("/sys/fs/cgroup")
_PARENT = "proctor"
_CONTROLLERS: tuple[str, ...] = ("memory", "pids", "cpuacct")


@dataclass
class Usage:
    """The most that was seen so far; None where the host does not show it."""

    memory: int | None = None
    processes: int | None = None
    oom_kills: int = 0
    cpu_seconds: float | None = None
    refused: bool = False
    """Whether the kernel has refused it a process."""


class Cgroup:
    """The parent group of one container; `path` is what the engine is told, None where there is none."""

    def __init__(self, name: str, info: dict[str, Any], *, privileged: bool) -> None:
        self.name = name
        self.usage = Usage()
        self._unified = str(info.get("CgroupVersion")) == "2"
        self.path = f"/{_PARENT}/{name}" if privileged and usable(info) else None
        self._own: dict[str, Path] = {}
        self._refusals: Notices | None = None
        if self.path is not None and not self._unified:
            _inherit_cores(_ROOT / "cpuset" / _PARENT / name)

    def follow(self, pid: int) -> None:
        """Look at the groups of a container whose first process is `pid`, wherever its engine has put them.

        They vanish with it, and what is read of them between two looks is lost; but not that it was refused a process.
        """
        self._own = _groups_of(pid) if pid else {}
        if (pids := self._own.get("pids")) is not None:
            self._refusals = Notices(pids / "pids.events")

    def read(self, container: str) -> Usage:
        """Read the groups once more and return the maxima so far; `container` is the name of the container's own."""
        if self.path is not None:
            for group in (self.path, f"{self.path}/{container}"):
                self._read_memory(self._folder("memory", group))
                self._read_processes(self._folder("pids", group))
            self._read_cpu(self._folder("cpuacct", self.path))
        if self._own:
            self._read_memory(self._own["memory"])
            self._read_processes(self._own["pids"])
            if self.path is None:
                self._read_cpu(self._own["cpuacct"])
        if self._refusals is not None:
            self.usage.refused = self.usage.refused or self._refusals.seen()
        return self.usage

    def _folder(self, controller: str, group: str) -> Path:
        return _ROOT / ("" if self._unified else controller) / group[1:]

    def freeze(self, container: str) -> bool:
        """Let none of the container's processes run until `thaw`; False where this host has no freezer for it.

        It takes microseconds, where the engine's pause starts two programs. Ending a frozen container thaws it.

        Raises:
            OSError: they did not stand still within a second; they run again.
        """
        if self.path is None or not self._freezer(container).is_file():
            return False
        deadline = time.monotonic() + 1
        while not self._stands_still(container):
            if time.monotonic() > deadline:
                self.thaw(container)
                raise OSError("the container's processes do not stand still")
            self._freezer(container).write_text("1" if self._unified else "FROZEN")
        return True

    def thaw(self, container: str) -> None:
        """Let them run again, if there still are any."""
        with contextlib.suppress(FileNotFoundError):
            self._freezer(container).write_text("0" if self._unified else "THAWED")

    def remove(self) -> None:
        """Remove the parent group; its container has to be gone."""
        if self._refusals is not None:
            self._refusals.close()
        if self.path is not None:
            _remove(self.name)

    def _freezer(self, container: str) -> Path:
        folder = _ROOT / ("" if self._unified else "freezer") / str(self.path)[1:] / container
        return folder / ("cgroup.freeze" if self._unified else "freezer.state")

    def _stands_still(self, container: str) -> bool:
        state = self._freezer(container)
        if self._unified:
            return _field(state.with_name("cgroup.events"), "frozen") == 1
        return state.read_text().strip() == "FROZEN"

    def _read_cpu(self, folder: Path) -> None:
        if self._unified:
            used, unit = _field(folder / "cpu.stat", "usage_usec"), 1e6
        else:
            used, unit = _number(folder / "cpuacct.usage"), 1e9
        if used is not None:
            self.usage.cpu_seconds = used / unit

    def _read_memory(self, folder: Path) -> None:
        peak = "memory.peak" if self._unified else "memory.max_usage_in_bytes"
        current = "memory.current" if self._unified else "memory.usage_in_bytes"
        self.usage.memory = _larger(self.usage.memory, _number(folder / peak), _number(folder / current))
        kills = _field(folder / ("memory.events" if self._unified else "memory.oom_control"), "oom_kill")
        self.usage.oom_kills = max(self.usage.oom_kills, kills or 0)

    def _read_processes(self, folder: Path) -> None:
        seen = (_number(folder / "pids.peak"), _number(folder / "pids.current"))
        self.usage.processes = _larger(self.usage.processes, *seen)
        self.usage.refused = self.usage.refused or bool(_field(folder / "pids.events", "max"))


def _groups_of(pid: int) -> dict[str, Path]:
    """The folders of a process's groups by controller; empty unless each is seen here.

    One that has just ended is said to be in the root group, whose figures are the host's.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return {}
    groups: dict[str, Path] = {}
    for line in lines:
        _, names, group = line.split(":", 2)
        if group.strip("/"):
            groups |= {name: _ROOT / name / group[1:] for name in names.split(",")}
    if "pids" not in groups and "" in groups:  # version 2 has one group for all
        groups |= dict.fromkeys(_CONTROLLERS, groups[""])
    wanted: dict[str, Path] = {name: groups[name] for name in _CONTROLLERS if name in groups}
    return (
        wanted
        if len(wanted) == len(_CONTROLLERS) and all(folder.is_dir() for folder in wanted.values())
        else {}
    )


def _inherit_cores(group: Path) -> None:
    """Makes a group of version 1 that may use what its parents may; a new one has no cores, and runsc gives it none."""
    for folder in (group.parent, group):
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not (folder / name).read_text().strip():
                    (folder / name).write_text((folder.parent / name).read_text())


def remove_orphans(orphan: Callable[[str], bool]) -> None:
    """Remove the parent groups whose name `orphan` holds for."""
    for parent in _parents():
        for group in parent.glob("*/"):
            if orphan(group.name):
                _remove(group.name)


def _parents() -> list[Path]:
    return [parent for parent in (_ROOT / _PARENT, *_ROOT.glob(f"*/{_PARENT}")) if parent.is_dir()]


def _remove(name: str) -> None:
    for parent in _parents():
        with contextlib.suppress(OSError):
            for left in (parent / name).glob("*/"):  # Podman's monitor has one of its own there
                left.rmdir()
            (parent / name).rmdir()


def usable(info: dict[str, Any]) -> bool:
    """Whether this process may make and read control groups as the engine of this `info` does."""
    if info.get("CgroupDriver") != "cgroupfs":
        return False
    probe = _ROOT if str(info.get("CgroupVersion")) == "2" else _ROOT / "memory"
    try:
        (probe / _PARENT).mkdir(exist_ok=True)
    except OSError:
        return False
    return True


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _field(file: Path, name: str) -> int | None:
    try:
        fields = dict(line.split(None, 1) for line in file.read_text().splitlines())
        return int(fields[name])
    except (OSError, ValueError, KeyError):
        return None


def _larger(*values: int | None) -> int | None:
    return max((value for value in values if value is not None), default=None)
