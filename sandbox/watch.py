"""A started container to its end: the clock, the stop signal, and the bounds that no kernel option holds."""

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from evaluator.verdicts import PlatformFault
from sandbox.cgroups import Group
from sandbox.disks import Disk
from sandbox.engine import Engine, translate
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob
from sandbox.layer import Layer

_TICK = 0.05
_GRACE = 30.0


class Killed(Enum):
    """Why we killed a container."""

    TIMEOUT = "timeout"
    DISK = "disk"
    STOP = "stop"


@dataclass(frozen=True)
class Ending:
    """How a container ended and what it used."""

    exit_code: int
    seconds: float
    killed: Killed | None
    oom_killed: bool
    disk_full: bool
    processes_full: bool
    peak_memory: int | None


class _Waiter(threading.Thread):
    """Waits for the engine to say that a container has ended, so that the caller can look at other things."""

    def __init__(self, engine: Engine, container: str) -> None:
        super().__init__(daemon=True, name=f"wait-{container[:12]}")
        self._engine, self._container = engine, container
        self.ended = threading.Event()
        self.problem: EngineFault | None = None

    def run(self) -> None:
        try:
            with translate("waiting for a container"):
                self._engine.api.wait(self._container, timeout=None)
        except EngineFault as fault:
            self.problem = fault
        finally:
            self.ended.set()


class Watch:
    """One running container, watched until it ends."""

    def __init__(self, engine: Engine, job: CaseJob, group: Group, disks: Collection[Disk]) -> None:
        self._engine, self._job, self._group, self._disks = engine, job, group, disks
        self._disk_full = False
        self._copied = 0  # what the image brought along on the disks is not the container's writing

    def to_the_end(self, container: str) -> Ending:
        """Wait for the container, kill it when a bound is passed, and say how it ended.

        Raises:
            EngineFault: the engine or the container was lost, or the job was told to stop.
        """
        started = time.monotonic()
        waiter = _Waiter(self._engine, container)
        waiter.start()
        layer = Layer(self._engine, self._inspect(container), self._job.limits.disk)
        self._copied = sum(disk.used() for disk in self._disks)
        killed = None
        while not waiter.ended.wait(_TICK):
            killed = self._reason_to_kill(container, layer, time.monotonic() - started)
            if killed is not None:
                killed = self._kill(container, killed)
                break
        if not waiter.ended.wait(_GRACE):
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "the engine did not end a killed container")
        if waiter.problem is not None:
            raise waiter.problem
        elapsed = time.monotonic() - started
        self._look_at_disks(layer, now=True)
        return self._ending(container, killed, elapsed)

    def _inspect(self, container: str) -> dict[str, Any]:
        with translate("inspecting a container"):
            return dict(self._engine.api.inspect_container(container))

    def _reason_to_kill(self, container: str, layer: Layer, elapsed: float) -> Killed | None:
        if self._job.stop is not None and self._job.stop.is_set():
            return Killed.STOP
        if elapsed >= self._job.limits.seconds_per_case:
            return Killed.TIMEOUT
        self._group.read(container)
        return Killed.DISK if self._look_at_disks(layer) else None

    def _look_at_disks(self, layer: Layer, *, now: bool = False) -> bool:
        """Note full disks; True if everything that was written together is over the disk limit."""
        self._disk_full = self._disk_full or any(disk.full() for disk in self._disks)
        written = layer.look(now=now) + sum(disk.used() for disk in self._disks) - self._copied
        over = written > self._job.limits.disk
        self._disk_full = self._disk_full or over
        return over

    def _kill(self, container: str, reason: Killed) -> Killed | None:
        """SIGKILL; None if the container had ended by itself just before."""
        with translate("killing a container"):
            if not self._inspect(container)["State"]["Running"]:
                return None
            self._engine.api.kill(container)
        return reason

    def _ending(self, container: str, killed: Killed | None, elapsed: float) -> Ending:
        if killed is Killed.STOP:
            raise EngineFault(PlatformFault.WORKER_LOST, "the case was told to stop")
        state = self._inspect(container)["State"]
        usage = self._group.read(container)
        limits = self._job.limits
        oom = bool(state["OOMKilled"]) or usage.oom_kills > 0
        code = int(state["ExitCode"])
        if code == 137 and killed is None and not oom:
            oom = (
                usage.memory is not None and usage.memory >= limits.memory
            )  # the engine missed the kernel's event
            if not oom and self._killed_by_others(container, elapsed):
                raise EngineFault(PlatformFault.WORKER_LOST, "a container was killed by something else")
        return Ending(
            exit_code=code,
            seconds=_seconds(state, elapsed),
            killed=killed,
            oom_killed=oom,
            disk_full=self._disk_full or killed is Killed.DISK,
            processes_full=usage.processes is not None and usage.processes >= limits.processes,
            peak_memory=usage.memory,
        )

    def _killed_by_others(self, container: str, elapsed: float) -> bool:
        """Whether somebody told the engine to kill it; a program that kills itself must not pass for our fault."""
        now = time.time()
        wanted = {"container": container, "event": "kill"}
        with translate("asking who killed a container"):
            said = self._engine.api.events(
                since=f"{now - elapsed - _GRACE:.3f}", until=f"{now:.3f}", filters=wanted, decode=True
            )
            return any(True for _ in said)


def _seconds(state: dict[str, Any], elapsed: float) -> float:
    """Process start to exit by the engine's stamps; never more than this process saw go by."""
    try:
        took = (_stamp(state["FinishedAt"]) - _stamp(state["StartedAt"])).total_seconds()
    except (KeyError, ValueError):
        return elapsed
    return min(took, elapsed) if took >= 0 else elapsed


def _stamp(text: str) -> datetime:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6].ljust(6, '0')}+00:00")
