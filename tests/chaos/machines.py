"""A second host as far as one machine can have it: an engine, a disk and a run worker of its own."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from worker.embedded.data import CHECKOUT

_ENGINE_SECONDS = 60
_DISK = 600 * 2**20


@dataclass
class SecondEngine:
    """A dockerd below `folder` that shares nothing with the one of this machine."""

    folder: Path
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.folder}/docker.sock"

    def start(self) -> None:
        """Start it and wait until it answers."""
        pid = self.folder / "docker.pid"
        pid.unlink(missing_ok=True)
        paths = [f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec", f"--pidfile={pid}"]
        command = ["dockerd", f"--host={self.address}", *paths, "--bridge=none", "--iptables=false"]
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _ENGINE_SECONDS
        while self.docker("version", check=False).returncode:
            assert time.monotonic() < deadline, (self.folder / "dockerd.log").read_text()[-2000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL, as a power cut: containers, shims and its containerd are ended too, and what was in /run is gone.

        A process number that is left there would be taken for a living containerd's by whoever has it next.
        """
        assert self._process is not None
        everything = _processes(
            str(self.folder)
        )  # what a container runs names no folder, but has a shim above it
        self._process.kill()
        self._process.wait()
        for pid in {*everything, *_processes(str(self.folder))}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _unmount_below(self.folder / "exec")
        shutil.rmtree(self.folder / "exec", ignore_errors=True)

    def stop(self) -> None:
        """End it in order."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The engine's command line."""
        command = ["docker", "--host", self.address, *words]
        return subprocess.run(command, capture_output=True, text=True, check=check)


@contextmanager
def second_engine(folder: Path) -> Iterator[SecondEngine]:
    """The engine while it is needed; its directories and mounts are gone afterwards."""
    folder.mkdir()
    engine = SecondEngine(folder)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()
        for pid in _processes(str(folder)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _unmount_below(folder)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A mounted file system of 600 MB, which a test can fill."""
    backing, top = folder.with_suffix(".ext4"), folder
    top.mkdir()
    with backing.open("wb") as file:
        file.truncate(_DISK)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(backing)], check=True)
    subprocess.run(["mount", "-o", "loop", str(backing), str(top)], check=True)
    try:
        yield top
    finally:
        _unmount_below(top)
        backing.unlink()


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """No byte is free on `disk` meanwhile."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(bytes(2**20))
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()


@dataclass
class KeptWorker:
    """A run worker that is started again whenever it dies, as a service manager would."""

    name: str
    environment: Mapping[str, str]
    log: Path
    _over: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id now."""
        assert self._process is not None
        return self._process.pid

    def keep(self) -> None:
        """Run it until `end`."""
        command = [sys.executable, "-m", "worker.run", "--name", self.name]
        with self.log.open("ab") as log:
            while not self._over.is_set():
                self._process = subprocess.Popen(
                    command, cwd=CHECKOUT, env=dict(self.environment), stdout=log, stderr=log
                )
                self._process.wait()
                self._over.wait(0.5)

    def end(self) -> None:
        """Ask it to stop and wait."""
        self._over.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(60)


@contextmanager
def kept_worker(name: str, environment: Mapping[str, str], log: Path) -> Iterator[KeptWorker]:
    """A run worker in the background."""
    worker = KeptWorker(name, environment, log)
    thread = threading.Thread(target=worker.keep, name=name)
    thread.start()
    try:
        yield worker
    finally:
        worker.end()
        thread.join()


def _processes(mark: str) -> set[int]:
    """Processes whose command line names `mark`, but this one, and all that they started."""
    found, children = set[int](), dict[int, list[int]]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
            if mark in words:
                found.add(int(entry.name))
    waiting = list(found)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _unmount_below(folder: Path) -> None:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    for target in sorted((line.split()[4] for line in lines), reverse=True):
        if target == str(folder) or target.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", target], check=True)
