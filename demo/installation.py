"""The demo's own installation: `proctor-admin up` in a directory that every run begins anew."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.stages import Stages
from worker.embedded.data import CHECKOUT, data_directory
from worker.embedded.ports import free_port
from worker.embedded.process import spawn

_MARKER = "made-by-the-demo"
_READY_SECONDS = 180.0


class DemoError(Exception):
    """Something the demo needs is not there; the message says what to do."""


@dataclass(frozen=True)
class Installation:
    """A running installation: its directory and its address."""

    data: Path
    url: str

    def secret(self, name: str) -> str:
        """One of its secrets."""
        return (self.data / "secrets" / name).read_text().strip()


def demo_directory(checkout: Path = CHECKOUT) -> Path:
    """Where the demo of a checkout keeps its installation: beside the one that `make up` uses."""
    own = data_directory(environ={}, checkout=checkout)
    return own.with_name(own.name + "-demo")


@contextmanager
def installation(port: int, stages: Stages) -> Iterator[Installation]:
    """Starts everything, and stops it when the block ends.

    Raises:
        DemoError: it does not come up, or another demo of this checkout runs.
    """
    data = _fresh(demo_directory())
    port = port or free_port("127.0.0.1")  # chosen here, so that the line below can name it
    log = data / "up.log"
    command = [sys.executable, "-m", "worker.admin", "up", "--data", str(data), "--port", str(port)]
    process = spawn(command, log=log, env=os.environ, cwd=CHECKOUT)
    try:
        with stages.stage(f"database, broker, server and workers are up: http://127.0.0.1:{port}"):
            address = _address(process, data / "address", log)
        yield Installation(data, address)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fresh(data: Path) -> Path:
    address = data / "address"
    if address.is_file() and _answers(address.read_text().strip()):
        raise DemoError(
            f"Another demo of this checkout runs at {address.read_text().strip()}: end it first (Ctrl-C)."
        )
    if data.exists():
        if not (data / _MARKER).is_file():
            raise DemoError(f"{data} is there but was not made by the demo; move it away.")
        shutil.rmtree(data)
    data.mkdir(parents=True, mode=0o711)
    data.chmod(0o711)
    (data / _MARKER).touch()
    return data


def _address(process: subprocess.Popen[bytes], address: Path, log: Path) -> str:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if address.is_file() and (url := address.read_text().strip()):
            return url
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise DemoError(f"The platform did not come up:\n{log.read_text()[-3000:]}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
