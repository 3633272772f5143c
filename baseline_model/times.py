"""Where the seconds of a case go, from the start of the process to the file."""

import os
import resource
import time
from pathlib import Path


class CaseTimes:
    """Seconds by stage. The first stage of a process begins where the process does, later ones where the last ended."""

    def __init__(self, *, began: float | None = None) -> None:
        self._began = self._last = time.monotonic() if began is None else began
        self._stages: dict[str, float] = {}

    def done(self, stage: str) -> None:
        """The stage ends now."""
        now = time.monotonic()
        self._stages[stage] = now - self._last
        self._last = now

    def line(self) -> str:
        """`times: start 0.41 s, read 1.20 s, …, all 4.70 s; peak memory 1.21 GB`."""
        stages = {**self._stages, "all": self._last - self._began}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        return f"times: {', '.join(f'{name} {s:.2f} s' for name, s in stages.items())}; peak memory {peak:.2f} GB"


def process_start() -> float:
    """When this process began, on the clock of `time.monotonic`; now, where the system does not say."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        age = 0.0
    return time.monotonic() - max(0.0, age)
