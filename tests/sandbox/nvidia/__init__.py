"""A stand-in of what NVIDIA installs beside an engine, and a second engine of this machine that has it.

`hook.py` plays `nvidia-container-runtime-hook`, which Docker runs for every container that asks for a GPU: it notes
what it was asked for, and gives the container a device and what its driver says of it. `smi.py` plays `nvidia-smi`.
Both read one file of state, which tests change while things run.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.engine import Engine
from sandbox.engines.docker import DockerEngine

FIRST, SECOND = "GPU-9a3c1f60-0c4b-4c8e-8b1f-2d9f5a6b7c8d", "GPU-1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
MODEL, DRIVER, CUDA = "NVIDIA H200", "570.124", "12.8"
_PROGRAMS = {"nvidia-container-runtime-hook": "hook.py", "nvidia-smi": "smi.py"}
_STARTED_WITHIN, _ENDED_WITHIN = 60.0, 30.0
_OPTIONS = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")


class StandIn:
    """The programs in `bin`, to stand first on a PATH, and the state of two GPUs that they tell of."""

    def __init__(self, folder: Path) -> None:
        self.bin, self._state, self._given = folder / "bin", folder / "state.json", folder / "given"
        self.bin.mkdir(parents=True)
        self._given.mkdir()
        for name, program in _PROGRAMS.items():
            file = self.bin / name
            called = [sys.executable, "-I", "-S", str(Path(__file__).with_name(program)), str(folder)]
            file.write_text(f'#!/bin/sh\nexec {" ".join(called)} "$@"\n')
            file.chmod(0o755)
        self.reset()

    def reset(self) -> None:
        """Two GPUs that are well, and nothing noted."""
        gpu = {"model": MODEL, "memory": 143_771, "used": 0, "errors": 0, "lost": False}
        self._write({"driver": DRIVER, "cuda": CUDA, "hangs": False, "gpus": {FIRST: gpu, SECOND: gpu}})
        for note in self._given.iterdir():
            note.unlink()

    def change(self, uuid: str | None = None, **changes: object) -> None:
        """Changes what is said of one GPU, or of the driver."""
        state = json.loads(self._state.read_text())
        (state if uuid is None else state["gpus"][uuid]).update(changes)
        self._write(state)

    @property
    def given(self) -> list[list[str]]:
        """The GPUs that each container was given, in the order in which these were."""
        return [json.loads(note.read_text()) for note in self._notes]

    @property
    def containers(self) -> list[str]:
        """The ids of these containers, in the same order."""
        return [note.name for note in self._notes]

    @property
    def _notes(self) -> list[Path]:
        return sorted(self._given.iterdir(), key=lambda note: note.stat().st_mtime_ns)

    def _write(self, state: dict[str, Any]) -> None:
        part = self._state.with_suffix(".part")
        part.write_text(json.dumps(state))
        part.replace(self._state)


@contextmanager
def second_engine(stand_in: StandIn) -> Iterator[tuple[Engine, str]]:
    """An engine of its own, with the stand-in on its PATH, and its address; it ends with the block, or with us."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    address = f"unix://{folder}/s"
    paths = [
        f"--data-root={folder}/d",
        f"--exec-root={folder}/x",
        f"--pidfile={folder}/p",
        f"--host={address}",
    ]
    environment = os.environ | {"PATH": f"{stand_in.bin}:{os.environ['PATH']}"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "dockerd", *_OPTIONS, *paths],
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    try:
        engine = _connected(process, address, folder / "log")
        yield engine, address
        engine.close()
    finally:
        _end(process, folder)


def _connected(process: subprocess.Popen[bytes], address: str, log: Path) -> Engine:
    deadline = time.monotonic() + _STARTED_WITHIN
    while not _listens(address.removeprefix("unix://")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no second engine: {log.read_text()[-2000:]}")
        time.sleep(0.05)
    return Engine(DockerEngine.connect(address), privileged=os.geteuid() == 0)


def _listens(path: str) -> bool:
    """Asked without the engine's client, which leaves a refused socket to the collector."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(path) == 0


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_ENDED_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        where = line.split()[1]
        if where.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", where], check=False)
    shutil.rmtree(folder, ignore_errors=True)
