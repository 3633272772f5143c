"""Which commit a submission was made of, in ordinary checkouts and in odd ones."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from client.api import Client
from client.source import source_of
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Server
from tests.client.test_submit import OPEN, submitted

Git = Callable[..., str]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    run(folder, "init", "-q")
    (folder / "predict.py").write_text("print(0.5)\n")
    run(folder, "add", ".")
    run(folder, "commit", "-qm", "First")
    return folder


def run(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *named, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_tree_is_clean_until_a_file_differs_that_is_no_submitted_image(checkout: Path) -> None:
    commit = run(checkout, "rev-parse", "HEAD")
    inside = checkout / "deeper"
    inside.mkdir()
    image = checkout / "image 1.tar"
    image.write_bytes(b"layers")
    assert source_of(checkout) == {"commit": commit, "clean": False}
    assert source_of(inside, [image]) == {"commit": commit, "clean": True}
    (checkout / "predict.py").write_text("print(0.6)\n")
    assert source_of(checkout, [image]) == {"commit": commit, "clean": False}


def test_a_submodule_s_own_commit_is_meant(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    run(other, "init", "-q")
    run(other, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(checkout), "part")
    assert source_of(other / "part") == {"commit": run(checkout, "rev-parse", "HEAD"), "clean": True}
    assert source_of(other) is None, "it has no commit yet"


def test_odd_gits_say_nothing_and_stop_nobody(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source_of(tmp_path) is None, "no checkout"
    assert source_of(tmp_path / "nothing") is None
    programs = tmp_path / "programs"
    programs.mkdir()
    git = programs / "git"
    monkeypatch.setenv("PATH", str(programs))
    assert source_of(checkout) is None, "no git"
    git.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    git.chmod(0o755)
    began = time.monotonic()
    assert source_of(checkout) is None, "one that hangs"
    assert time.monotonic() - began < 30
    for said in ("exit 128", "echo nonsense", "printf '\\377\\n\\377'"):
        git.write_text(f"#!/bin/sh\n{said}\n")
        assert source_of(checkout) is None
    slow = 'case "$*" in *status*) exec /bin/sleep 60;; *) printf "/x\\n%040d" 0;; esac'
    git.write_text(f"#!/bin/sh\n{slow}\n")
    assert source_of(checkout) == {"commit": "0" * 40, "clean": None}


def test_submit_says_which_commit_it_was_unless_that_is_declined(
    mine: Cli, server: Server, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    image_archive(checkout / "image.tar", noise=512)
    done = mine("submit", "image.tar", "-t", "task1", *OPEN)
    commit = run(checkout, "rev-parse", "HEAD")
    assert f"Made of commit {commit[:12]}, its tree was clean." in done.output, done.output
    with Client(server.url, os.environ["PROCTOR_TOKEN"]) as client:
        source = client.submission(submitted(done.output)).source
        assert source is not None
        assert (source.commit, source.clean) == (commit, True)
        silent = mine("submit", "image.tar", "-t", "task1", *OPEN, "--again", "--no-git")
        assert client.submission(submitted(silent.output)).source is None
