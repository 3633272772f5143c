"""A bundle of this commit, installed and shown in a network namespace without a route, on an empty engine."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.installation import demo_directory
from scripts import release
from tests.chaos.machines import second_engine
from tests.test_release import checkout as checkout

TOOLS = ("dockerd", "unshare", "ip", "make")
MINUTES = 60
INSTALLED = "proctor"
INSIDE = """
set -e
ip link set lo up
test -z "$(ip route)"
"$1"/install --offline --to "$2"
"$1"/install --offline --to "$2"
cd "$2"
make demo ARGS=--exit
"""

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(MINUTES * 60),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a namespace and starts an engine"),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}"),
]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Below /tmp: the database's user may pass through it, and a socket's address has few letters."""
    folder = Path(tempfile.mkdtemp(prefix="proctor-off-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    if (kept := demo_directory(folder / INSTALLED)).exists():  # a gigabyte, elsewhere where root ran it
        shutil.rmtree(kept)
    shutil.rmtree(folder)


def test_the_demo_runs_where_no_network_is(checkout: Path, short_folder: Path) -> None:
    made = [sys.executable, "-m", "scripts.bundle", "--to", str(short_folder)]
    done = subprocess.run(made, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (archive,) = short_folder.glob("*.tar")
    subprocess.run(["tar", "-xf", archive, "-C", short_folder], check=True)
    target = short_folder / INSTALLED
    with second_engine(short_folder / "engine") as engine:
        assert not engine.docker("images", "--quiet").stdout
        # As on a host of its own: nothing of this machine's settings for pip, nothing of its caches.
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PROCTOR_"))}
        env = {**kept, "DOCKER_HOST": engine.address, "PYTHON": sys.executable}
        command = ["unshare", "--net", "sh", "-c", INSIDE, "sh", str(archive.with_suffix("")), str(target)]
        shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, (shown.stdout + shown.stderr)[-4000:]
    assert f"is in {target} already" in shown.stdout
    assert release.the_version() in shown.stdout
    assert "Baseline" in shown.stdout
    assert "task6" in shown.stdout
    assert "Case runs" in shown.stdout
