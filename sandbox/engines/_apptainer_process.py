"""A container of Apptainer while it runs: a tree of processes of this user, watched from outside.

No control group is ours to make, so memory and processes are looked at ten times a second. What grows faster, and
what no process has mapped, only the group of a batch job bounds.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

_EVERY = 0.1
_MAPPED = (b"Pss_Anon:", b"Pss_Shmem:")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class ProcessBounds:
    """Bytes of memory, number of processes, and bytes of text that are kept."""

    memory: int
    processes: int
    text: int


class ContainerProcess:
    """A command that was started, until it has ended."""

    def __init__(self, command: list[str], environment: Mapping[str, str], bounds: ProcessBounds) -> None:
        self._bounds = bounds
        self._text = bytearray()
        self.over_memory = False
        self.finished: float | None = None
        self.started = time.time()
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def exit_code(self) -> int | None:
        """As a shell has it: 128 and the signal where one ended it. None while it runs."""
        code = self._process.returncode if self._ended.is_set() else None
        return 128 - code if code is not None and code < 0 else code

    def wait(self, seconds: float | None) -> int | None:
        """Its exit code, within so many seconds."""
        self._ended.wait(seconds)
        return self.exit_code

    def text(self, tail: int) -> bytes:
        """The last `tail` bytes that it wrote."""
        return bytes(self._text[-tail:]) if tail else b""

    def signal(self, number: signal.Signals) -> bool:
        """Send it to all of its processes; False where they have ended."""
        if self._ended.is_set():
            return False
        signal_tree(self.pid, number)
        return True

    def _read(self) -> None:
        with cast(IO[bytes], self._process.stdout) as stream:  # it is a pipe
            while chunk := os.read(stream.fileno(), 65_536):
                self._text += chunk
                if (surplus := len(self._text) - self._bounds.text) > 0:
                    del self._text[:surplus]

    def _watch(self) -> None:
        try:
            self._bound()
        finally:  # nothing runs unwatched, and nobody waits for an end that is never told
            self._process.kill()
            self._process.wait()
            self.finished = time.time()
            self._reader.join(2)  # a process that outlives the first holds the pipe; nobody waits for it
            self._ended.set()

    def _bound(self) -> None:
        while self._process.poll() is None:
            processes = list(tree(self.pid))
            self.over_memory = self.over_memory or sum(map(memory, processes)) > self._bounds.memory
            if self.over_memory or len(processes) > self._bounds.processes:
                signal_tree(self.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_EVERY)


def tree(pid: int) -> Iterator[int]:
    """A process and all that come of it, as far as they are there, however deep they are nested."""
    pending = [pid]
    while pending:
        one = pending.pop()
        yield one
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                pending += map(int, task.read_text().split())


def signal_tree(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process and to all that come of it; those that are made meanwhile die with their namespace."""
    for one in list(tree(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, number)


def memory(pid: int) -> int:
    """Bytes that a process has of its own and its share of what it shares; files that it has mapped don't count."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_MAPPED))
    except PermissionError:
        return _resident(pid)
    except OSError:
        return 0


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        _, resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[:3]
        return (int(resident) - int(shared)) * _PAGE
    return 0


def began(pid: int) -> str | None:
    """What tells a process from a later one of the same number; None where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
