"""This machine's GPUs and the memory in use on one while a container had it, asked of the driver's own tool."""

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

_TOOL = "nvidia-smi"
_EVERY_MS = 500
_MIB = 2**20


def gpus() -> list[tuple[str, int]]:
    """(UUID, memory in bytes) of each NVIDIA GPU the driver knows; none where there is no driver.

    Where a GPU has the host's memory and the driver tells no number, that is 0.
    """
    if shutil.which(_TOOL) is None:
        return []
    query = [_TOOL, "--query-gpu=uuid,memory.total", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return []
    rows = [line.split(",") for line in answer.stdout.splitlines() if line.strip()]
    return [(uuid.strip(), peak([memory]) or 0) for uuid, memory in rows]


def peak(lines: Iterable[str]) -> int | None:
    """Bytes: the largest of the numbers (MiB) that the tool prints, one a line; None if there is none.

    A driver that does not know writes `[N/A]` or `[Not Supported]`.
    """
    known = [int(line) for line in map(str.strip, lines) if line.isdecimal()]
    return max(known) * _MIB if known else None


class Sampler:
    """Looks at a GPU twice a second for as long as the block runs; does nothing without a GPU or its tool."""

    def __init__(self, uuid: str | None) -> None:
        self._uuid = uuid
        self._tool: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.peak: int | None = None

    def __enter__(self) -> Self:
        if self._uuid is not None and shutil.which(_TOOL) is not None:
            command = [_TOOL, f"--id={self._uuid}", "--query-gpu=memory.used"]
            command += ["--format=csv,noheader,nounits", f"--loop-ms={_EVERY_MS}"]
            with contextlib.suppress(OSError):
                self._tool = subprocess.Popen(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env={"PATH": os.environ.get("PATH", os.defpath)},
                )
                self._reader = threading.Thread(target=self._read, args=[self._tool], daemon=True)
                self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tool is not None and self._reader is not None:
            self._tool.kill()
            self._reader.join()
            self._tool.communicate()

    def _read(self, tool: subprocess.Popen[str]) -> None:
        for line in tool.stdout or ():
            seen = peak([line])
            if seen is not None:
                self.peak = max(seen, self.peak or 0)
