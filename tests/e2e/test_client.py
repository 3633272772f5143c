"""A participant at a shell: the `proctor` command against the running platform."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Join
from tests.e2e.habits import Bench
from tests.e2e.installation import Installation
from tests.hostile.images import NO_PYTHON, build

Proctor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def proctor(bench: Bench, join: Join, running: Installation, place: Path) -> Proctor:
    """Runs the command for somebody with a new team."""
    person = join("Shell", "habits")
    environment = {"PROCTOR_URL": running.url, "PROCTOR_TOKEN": person.token, "PROCTOR_CHALLENGE": "habits"}
    environment |= {"PATH": os.environ["PATH"], "HOME": str(place), "COLUMNS": "200"}

    def proctor(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "client.main", *map(str, words)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return proctor


def test_an_archive_is_submitted_watched_and_scored(proctor: Proctor, honest: Path) -> None:
    words = ("--task", "task5", "--track", "open", "--phase", "validation", "--watch")
    done = proctor("submit", honest, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Submitted task5" in done.stdout
    results = json.loads(proctor("results", "--json").stdout)
    assert "Shell" in json.dumps(results)
    rows = json.loads(proctor("quota", "--json").stdout)
    spent = [(row["task"], row["track"], row["phase"]) for row in rows if row["spent"]]
    assert spent == [("task5", "open", "validation")]


def test_a_rejected_submission_ends_with_exit_code_1_and_its_reason(proctor: Proctor) -> None:
    words = ("--task", "task5", "--track", "exits_3", "--phase", "validation", "--watch")
    done = proctor("submit", build(NO_PYTHON, ""), *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no_start" in done.stdout + done.stderr
