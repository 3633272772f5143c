"""Where the seconds of a case go, from the start of the process to the file."""

import os
import sys
import time
from pathlib import Path


class CaseTimes:
    """Seconds by stage. The first stage of a process begins where the process does, later ones where the last ended."""

    def __init__(self, *, began: float | None = None) -> None:
        self._first = time.monotonic() if began is None else began, 0.0 if began else time.process_time()
        self._last = self._first
        self._stages: dict[str, tuple[float, float]] = {}

    def done(self, stage: str) -> None:
        """The stage ends now."""
        now = time.monotonic(), time.process_time()
        self._stages[stage] = _between(self._last, now)
        self._last = now

    def line(self) -> str:
        """`times (of processors): start 0.41 s (0.40), …, all 4.70 s (6.12); peak memory 1.21 GB`."""
        stages = {**self._stages, "all": _between(self._first, self._last)}
        shown = ", ".join(f"{name} {wall:.2f} s ({busy:.2f})" for name, (wall, busy) in stages.items())
        peak = peak_memory()
        return f"times (of processors): {shown}" + (f"; peak memory {peak / 1e9:.2f} GB" if peak else "")


def _between(first: tuple[float, float], last: tuple[float, float]) -> tuple[float, float]:
    return last[0] - first[0], last[1] - first[1]


def process_start() -> float:
    """When this process began, on the clock of `time.monotonic`; now, where the system does not say."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        age = 0.0
    return time.monotonic() - max(0.0, age)


def peak_memory() -> int | None:
    """Bytes of memory that this process held at most at once; where only that is known, or the one that started it.

    None where the system does not say.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    except (OSError, ValueError, StopIteration):
        pass
    try:
        import resource
    except ModuleNotFoundError:  # on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
