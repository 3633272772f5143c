"""What `make` calls before any Python of ours runs."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_an_engine_that_answers_is_left_alone() -> None:
    outcome = run("scripts/engine")
    assert outcome.returncode == 0
    assert outcome.stderr == ""


def test_an_engine_elsewhere_that_does_not_answer_is_named() -> None:
    outcome = run("scripts/engine", DOCKER_HOST="tcp://127.0.0.1:9")
    assert outcome.returncode == 1
    assert len(outcome.stderr.splitlines()) == 2
    assert "tcp://127.0.0.1:9" in outcome.stderr


def test_podman_that_is_missing_is_named_and_no_failure_where_it_is_optional(tmp_path: Path) -> None:
    for tool in ("sh", "id"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    script = str(ROOT / "scripts" / "podman")
    for options, code in (((), 1), (("--optional",), 0)):
        missing = run(script, *options, PATH=str(tmp_path))
        assert (missing.returncode, "podman: " in missing.stderr) == (code, True)


def test_an_old_python_is_refused_with_what_to_type(tmp_path: Path) -> None:
    """A PATH without any Python and without apt-get stands for a machine that has neither."""
    for tool in ("sh", "id"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    outcome = run(str(ROOT / "scripts" / "venv"), str(tmp_path / "venv"), PATH=str(tmp_path))
    assert outcome.returncode == 1
    assert "make setup PYTHON=" in outcome.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("script", "package"), [("squashfs", "squashfs-tools"), ("bubblewrap", "bubblewrap")]
)
def test_tools_that_are_there_are_left_alone_and_missing_ones_named(
    script: str, package: str, tmp_path: Path
) -> None:
    found = run(f"scripts/{script}")
    assert (found.returncode, found.stderr) == (0, "")
    for tool in ("sh", "id"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    for options, code in (((), 1), (("--optional",), 0)):
        missing = run(str(ROOT / "scripts" / script), *options, PATH=str(tmp_path))
        assert (missing.returncode, f"apt-get install {package}" in missing.stderr) == (code, True)


def test_a_browser_that_is_there_is_taken_and_a_missing_one_named(tmp_path: Path) -> None:
    found = run("scripts/browser")
    assert (found.returncode, found.stderr) == (0, "")
    assert Path(found.stdout.strip()).is_file()
    for tool in ("sh", "id"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    script = str(ROOT / "scripts" / "browser")
    missing = run(script, PATH=str(tmp_path), PROCTOR_BROWSER="")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "apt-get install chromium" in missing.stderr
    named = tmp_path / "another-browser"
    named.symlink_to("/bin/true")
    assert run(script, PATH=str(tmp_path), PROCTOR_BROWSER=str(named)).stdout == f"{named}\n"


def test_proxies_that_are_there_are_left_alone_and_missing_ones_named(tmp_path: Path) -> None:
    found = run("scripts/proxies")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    for tool in ("sh", "id", "sed", "tr"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    # Without a folder of its own to look in, nginx is found beside PATH, where Debian has it; Caddy is not.
    missing = run(str(ROOT / "scripts" / "proxies"), PATH=str(tmp_path))
    assert missing.returncode == 1
    assert "apt-get install nginx-light caddy" in missing.stderr


def test_make_alone_explains_itself() -> None:
    shown = run("make").stdout
    targets = ("setup", "demo", "test", "check", "bench", "up", "third-party", "train", "lock", "clean")
    for target in targets:
        assert f"make {target}" in shown


def test_scripts_are_valid_shell() -> None:
    for script in (
        "browser",
        "bubblewrap",
        "engine",
        "podman",
        "proxies",
        "slurm",
        "squashfs",
        "venv",
        "wheels",
        "../docker/install",
    ):
        assert run("sh", "-n", f"scripts/{script}").returncode == 0
    assert run("bash", "-n", ".ci/run").returncode == 0


def test_setup_says_how_much_it_fetches_before_it_is_silent(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("one==1\ntwo==2\n")
    (tmp_path / "pyproject.toml").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    words = ("make", "-f", str(ROOT / "Makefile"), "-C", str(tmp_path), "setup")
    assert "Setting up .venv: about 2 packages" in run(*words).stdout
    assert "Setting up" not in run(*words).stdout, "nothing is fetched again"
