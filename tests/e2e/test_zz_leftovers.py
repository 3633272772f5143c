"""What is left on the machine after everything above has run: nothing. Runs last, by its name."""

import subprocess
import time
from pathlib import Path

from tests.e2e.habits import Bench
from tests.e2e.installation import Installation


def left(prefix: str) -> list[str]:
    """Containers, volumes, and loop devices of this installation."""
    lists = (["ps", "--all", "--format", "{{.Names}}"], ["volume", "ls", "--quiet"])
    names = [
        name
        for words in lists
        for name in subprocess.run(
            ["docker", *words], check=True, capture_output=True, text=True
        ).stdout.split()
    ]
    backing = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    return [name for name in [*names, *backing] if prefix in name]


def test_nothing_is_left_once_nothing_runs(bench: Bench, running: Installation) -> None:
    for name in list(bench.sent):
        bench.ended(name)
    prefix = f"proctor-{(running.data / 'worker' / 'installation').read_text()}-"
    deadline = time.monotonic() + 20
    while left(prefix) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left(prefix) == []
    assert not list((running.data / "blobs" / "incoming").iterdir())
    assert not [path for path in (running.data / "worker" / "scratch").rglob("*") if path.is_file()]


def test_nothing_unexpected_was_logged(running: Installation) -> None:
    logged = running.logs()
    for trouble in ("unexpected_error", "worker_defect", "scorer_failed", "Traceback"):
        assert trouble not in logged, logged[logged.index(trouble) :][:2000]
