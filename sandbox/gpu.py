"""This machine's GPUs and the memory in use on one while a container had it, asked of the driver's own tool."""

import contextlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_TOOL = "nvidia-smi"
_EVERY_MS = 500
_SECONDS = 30.0  # a driver that lost a GPU may never answer
_MIB = 2**20
_CELLS = 4
_CUDA = re.compile(r"CUDA Version\s*:\s*(\d+\.\d+)")


@dataclass(frozen=True)
class InstalledGpu:
    """One NVIDIA GPU as its driver names it; memory in bytes, 0 where the driver tells no number.

    `cuda` is the newest version of CUDA that the driver supports, empty where it does not say.
    """

    uuid: str
    memory: int
    model: str
    driver: str
    cuda: str = ""


def gpus() -> list[InstalledGpu]:
    """Each NVIDIA GPU the driver knows; none where there is no driver, or it does not answer.

    A GPU that fell off the bus is left out; the others are told all the same.
    """
    if shutil.which(_TOOL) is None:
        return []
    query = ("--query-gpu=uuid,memory.total,name,driver_version", "--format=csv,noheader,nounits")
    lines = [[cell.strip() for cell in line.split(",")] for line in _said(*query).splitlines()]
    rows = [cells for cells in lines if len(cells) == _CELLS]
    cuda = _CUDA.search(_said("-q", "-d", "MEMORY")) if rows else None
    newest = cuda[1] if cuda else ""
    return [
        InstalledGpu(uuid, peak([memory]) or 0, model, driver, newest) for uuid, memory, model, driver in rows
    ]


def found(uuid: str | None) -> InstalledGpu | None:
    """The GPU of this number, or None."""
    return next((gpu for gpu in gpus() if gpu.uuid == uuid), None) if uuid is not None else None


def _said(*arguments: str) -> str:
    """What the tool writes, also where it ends with an error because of one GPU; nothing where it does not answer."""
    try:
        answer = subprocess.run(
            [_TOOL, *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout


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
