"""A started container to its end: the clock, the stop signal, and the bounds that no kernel option holds.

The end has two parts. The kernel says at once when the container's processes are gone, and its cores, memory and
GPU are free then; the engine needs some more time to clear up and to say how it ended.
"""

import contextlib
import os
import select
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from evaluator.verdicts import PlatformFault
from sandbox.cgroups import Cgroup
from sandbox.disks import BoundedDisk
from sandbox.engine import Engine, translate
from sandbox.engines import ContainerState
from sandbox.faults import EngineFault
from sandbox.gpu import Sampler
from sandbox.jobs import CaseJob
from sandbox.layer import Layer
from sandbox.options import OUTPUT
from sandbox.shm import SharedMemory

_TICK = 0.05
_READ_EVERY = (
    0.25  # seconds between two looks at the control groups: the peaks stay there, a child's end does not
)
_GRACE = 30.0


class Killed(Enum):
    """Why we killed a container."""

    TIMEOUT = "timeout"
    DISK = "disk"
    STOP = "stop"


@dataclass(frozen=True)
class Ending:
    """How a container ended and what it used. `overran`: it ended by itself, but after its time was over.

    `disk_full`: one of its disks was full at some time, `output_full`: that of /output. `disk_over`: at its end, all
    that it had written was more than it may write. `shm_full`: nothing more fitted into /dev/shm when it ended.
    """

    exit_code: int
    seconds: float
    killed: Killed | None
    oom_killed: bool
    disk_full: bool
    processes_full: bool
    peak_memory: int | None
    cpu_seconds: float | None = None
    gpu_memory: int | None = None
    overran: bool = False
    disk_over: bool = False
    output_full: bool = False
    shm_full: bool = False


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
                self._engine.raw.wait(self._container)
        except EngineFault as fault:
            self.problem = fault
        finally:
            self.ended.set()


class _Process:
    """The end of a container's first process: told by the kernel where this process sees it, else by the engine."""

    def __init__(self, state: ContainerState, waiter: _Waiter) -> None:
        self._waiter = waiter
        self._handle = _pidfd(state.pid, state.id)

    def gone(self, seconds: float) -> bool:
        """Whether it has ended, within so many seconds."""
        if self._handle is None or self._waiter.ended.is_set():
            return self._waiter.ended.wait(seconds)
        ready, _, _ = select.select([self._handle], [], [], seconds)
        return bool(ready)

    def close(self) -> None:
        """Forget the process."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _pidfd(pid: int, container: str) -> int | None:
    """A descriptor that is readable once the process `pid` of this container is gone; None where it is not seen."""
    if pid == 0:
        return None
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(pid)
        # Asked after it was opened: this process may count processes differently than the engine does.
        if container in Path(f"/proc/{pid}/cgroup").read_text():
            return handle
        os.close(handle)
    return None


class Watch:
    """One running container, watched until it ends."""

    def __init__(self, engine: Engine, job: CaseJob, group: Cgroup, disks: Mapping[str, BoundedDisk]) -> None:
        self._engine, self._job, self._group = engine, job, group
        self._disks, self._output = disks.values(), disks.get(OUTPUT)
        self._disk_full = self._output_full = self._shm_full = False
        self._copied = 0  # what the image brought along on the disks is not the container's writing
        self._next_read = 0.0
        self._killed: Killed | None = None
        self._elapsed = 0.0

    def until_gone(self, container: str) -> None:
        """Wait for the container's processes to end; kill them when a bound is passed.

        Raises:
            EngineFault: the engine or the container was lost, or the job was told to stop.
        """
        started = time.monotonic()
        self._container, self._group_name = container, self._engine.raw.group(container)
        self._waiter = _Waiter(self._engine, container)
        self._waiter.start()
        state = self._state(container)
        self._layer = Layer(self._engine, state, self._job.limits.disk)
        self._copied = sum(disk.used() for disk in self._disks)
        process = _Process(state, self._waiter)
        pid = state.pid if self._engine.privileged else 0
        self._group.follow(pid)
        lent = self._job.slot
        try:
            with Sampler(lent.gpu_uuid if lent.memory is None else None) as sampler, SharedMemory(pid) as shm:
                self._watch(process, started)
                self._shm_full = shm.full()
                # Before the engine removes it: version 1 counts kills in the group itself alone.
                self._group.read(self._group_name)
        finally:
            process.close()
        self._elapsed = time.monotonic() - started
        self._gpu_memory = sampler.peak
        if self._killed is Killed.STOP:
            raise EngineFault(PlatformFault.WORKER_LOST, "the case was told to stop")

    def _watch(self, process: _Process, started: float) -> None:
        longest = self._job.limits.seconds_per_case * self._job.patience
        while not process.gone(max(0.0, min(_TICK, longest - (time.monotonic() - started)))):
            reason = self._reason_to_kill(time.monotonic() - started >= longest)
            if reason is not None:
                self._killed = self._kill(reason)
                if not process.gone(_GRACE):
                    text = "the engine did not end a killed container"
                    raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, text)
                return

    def ending(self) -> Ending:
        """How the container ended, once the engine knows; after `until_gone`.

        Raises:
            EngineFault: the engine was lost, or something else killed the container.
        """
        if not self._waiter.ended.wait(_GRACE):
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "the engine did not see a container end")
        if self._waiter.problem is not None:
            raise self._waiter.problem
        over = self._look_at_disks(now=True)
        return replace(self._ending(), disk_over=over)

    def _state(self, container: str) -> ContainerState:
        with translate("inspecting a container"):
            return self._engine.raw.state(container)

    def _reason_to_kill(self, over: bool) -> Killed | None:
        if self._job.stop is not None and self._job.stop.is_set():
            return Killed.STOP
        if over:
            return Killed.TIMEOUT
        if time.monotonic() >= self._next_read:
            self._next_read = time.monotonic() + _READ_EVERY
            self._group.read(self._group_name)
        return Killed.DISK if self._look_at_disks() else None

    def _look_at_disks(self, *, now: bool = False) -> bool:
        """Note full disks; True if everything that was written together is over the disk limit."""
        self._output_full = self._output_full or (self._output is not None and self._output.full())
        self._disk_full = self._disk_full or any(disk.full() for disk in self._disks)
        written = self._layer.look(now=now) + sum(disk.used() for disk in self._disks) - self._copied
        over = written > self._job.limits.disk
        self._disk_full = self._disk_full or over
        return over

    def _kill(self, reason: Killed) -> Killed | None:
        """SIGKILL; None if the container had ended by itself just before."""
        return reason if self._engine.kill_container(self._container) else None

    def _ending(self) -> Ending:
        killed, limits = self._killed, self._job.limits
        state = self._state(self._container)
        usage = self._group.read(self._group_name)
        seconds = _seconds(state, self._elapsed)
        oom = usage.oom_kills > 0 or state.oom_killed
        code = state.exit_code
        if code == 137 and killed is None and not oom:
            # Neither of us saw the kernel's event: the group was gone before anybody looked.
            oom = usage.memory is not None and usage.memory >= min(limits.memory, self._lent_memory())
            if not oom and self._killed_by_others():
                raise EngineFault(PlatformFault.WORKER_LOST, "a container was killed by something else")
        return Ending(
            exit_code=code,
            seconds=seconds,
            killed=killed,
            oom_killed=oom,
            disk_full=self._disk_full or killed is Killed.DISK,
            processes_full=usage.refused or (usage.processes or 0) >= limits.processes,
            peak_memory=usage.memory,
            cpu_seconds=usage.cpu_seconds,
            gpu_memory=self._gpu_memory,
            output_full=self._output_full,
            shm_full=self._shm_full,
            overran=killed is None and seconds > limits.seconds_per_case,
        )

    def _lent_memory(self) -> int:
        return self._job.slot.memory or self._job.limits.memory

    def _killed_by_others(self) -> bool:
        """Whether somebody told the engine to kill it; a program that kills itself must not pass for our fault."""
        now = time.time()
        with translate("asking who killed a container"):
            return self._engine.raw.was_killed(self._container, now - self._elapsed - 2 * _GRACE, now)


def _seconds(state: ContainerState, elapsed: float) -> float:
    """Process start to exit by the engine's stamps; never more than this process saw go by."""
    if state.started is None or state.finished is None:
        return elapsed
    took = (state.finished - state.started).total_seconds()
    return min(took, elapsed) if took >= 0 else elapsed
