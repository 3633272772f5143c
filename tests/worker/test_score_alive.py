"""A score worker says by a file that it works, as compose.yaml looks at it; and says little else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from worker.embedded.data import CHECKOUT
from worker.score.alive import EVERY


@pytest.fixture
def alive(tmp_path: Path) -> Path:
    return tmp_path / "alive"


@pytest.fixture
def worker(
    fresh_postgres_url: str, redis_url: str, tmp_path: Path, alive: Path
) -> Iterator[subprocess.Popen[bytes]]:
    told = {
        "DATABASE_URL": fresh_postgres_url,
        "REDIS_URL": redis_url,
        "PROCTOR_DATA": str(tmp_path / "data"),
        "PROCTOR_SECRET_KEY": "k" * 40,
    }
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-m", "worker.score", "--name", "alive", "--alive", str(alive)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=os.environ | told, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait()


def healthy(alive: Path) -> bool:
    """What the health check of compose.yaml says."""
    service = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())["services"]["score-worker"]
    kind, command = service["healthcheck"]["test"]
    assert (kind, service["command"][-2:]) == ("CMD-SHELL", ["--alive", "/tmp/alive"])
    command = command.replace("$$", "$").replace("/tmp/alive", str(alive))
    return subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_score_worker_that_is_stopped_is_not_healthy(
    worker: subprocess.Popen[bytes], alive: Path, tmp_path: Path
) -> None:
    assert not healthy(alive), "before it listens"
    wait_until(lambda: healthy(alive), worker)
    os.utime(alive, (0, 0))
    wait_until(lambda: healthy(alive), worker)
    worker.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, worker.pid, os.WSTOPPED | os.WNOWAIT)
    os.utime(alive, (0, 0))  # as it is a minute later
    time.sleep(2 * EVERY)
    assert not healthy(alive)
    worker.send_signal(signal.SIGCONT)
    wait_until(lambda: healthy(alive), worker)
    worker.terminate()
    assert worker.wait(60) == 0
    assert not alive.exists()
    said = (tmp_path / "log").read_text()
    assert "score_worker_ready" in said
    for noise in ("SecurityWarning", "superuser", "[queues]", "transport:"):
        assert noise not in said
