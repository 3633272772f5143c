"""The server as `up` and the images start it: one command, which brings the bounds on connections with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from server.settings import Settings
from tests.abuse.wire import Wire
from worker.embedded.data import CHECKOUT
from worker.embedded.ports import free_port


def test_the_command_serves_with_every_bound_and_ends_when_told(settings: Settings) -> None:
    port = free_port("127.0.0.1")
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    command = [sys.executable, "-m", "server", "--port", str(port)]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment, stderr=subprocess.PIPE) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _healthy(url)
            soft, hard = _open_files(process.pid)
            assert soft == hard
            with Wire(url) as wire:
                wire.ask("GET /healthz", *[f"X-{number}: a" for number in range(200)])
                assert wire.status() == 431
            with Wire(url) as wire:
                wire.ask("GET /healthz", "Upgrade: websocket", "Connection: Upgrade")
                assert wire.socket.recv(100).startswith(b"HTTP/1.1 200 ")
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
        log = process.stderr.read().decode() if process.stderr else ""
    assert "WARNING" not in log, log
    assert "Traceback" not in log, log


def _healthy(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            assert httpx.get(f"{url}/healthz").status_code == 200
        except httpx.TransportError:
            assert time.monotonic() < deadline, "it never answered"
            time.sleep(0.1)
        else:
            return


def _open_files(pid: int) -> tuple[str, str]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("Max open files"))
    soft, hard = line.split()[3:5]
    return soft, hard
