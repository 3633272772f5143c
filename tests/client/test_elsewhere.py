"""The command where there is no POSIX, as on Windows: all of it but `proctor try`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from client.api import Client
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Server

ROOT = Path(__file__).resolve().parents[2]


def elsewhere(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(Path(__file__).with_name("elsewhere.py")), *(str(word) for word in words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_nothing_that_the_client_loads_needs_posix() -> None:
    done = elsewhere("every-module")
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert {"client.commands.trial", "client.uploads", "client.receipts", "client.main"} <= set(loaded)
    assert len(loaded) > 30
    blocked = elsewhere("try", "image", "--task", "task1", "--cases", ".", "--challenge", "x.yaml")
    assert blocked.returncode != 0, "what is taken away is away"
    assert "fcntl" in blocked.stderr


@pytest.mark.usefixtures("mine")
def test_an_image_is_submitted_and_followed_from_there(server: Server, tmp_path: Path) -> None:
    image_archive(tmp_path / "image.tar", noise=4096)
    sent = elsewhere(
        "submit", tmp_path / "image.tar", "-t", "task1", "--track", "method", "--phase", "validation"
    )
    assert sent.returncode == 0, sent.stdout + sent.stderr
    (id_,) = re.findall(r"Submitted .*: ([0-9a-f-]{36})", sent.stdout)
    with Client(server.url, os.environ["PROCTOR_TOKEN"]) as client:
        assert [one.task for one in client.submission(id_).evaluations] == ["task1"]
    for words in (
        ("attempts",),
        ("challenge",),
        ("images",),
        ("quota",),
        ("results",),
        ("cancel", id_),
    ):
        done = elsewhere(*words)
        assert done.returncode == 0, (words, done.stdout + done.stderr)


def test_what_only_linux_can_is_said_to_be_so(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    done = cli("try", "image", "--task", "task1", "--cases", tmp_path, "--challenge", tmp_path / "x.yaml")
    assert done.exit_code != 0
    assert "only Linux can" in done.output
    assert "everything else works here" in done.output
