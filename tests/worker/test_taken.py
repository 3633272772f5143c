"""A run worker whose slot or GPU another worker of its host has ends in a sentence, however it hears of work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.embedded.data import CHECKOUT
from worker.run.host import HostFolder

NOWHERE = "redis://127.0.0.1:1/0"
"""A broker that is never reached: what stands in the way is said before."""


def started(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PROCTOR_SERVER_URL": "http://127.0.0.1:1",
        "PROCTOR_WORKER_TOKEN": "prw_x",
        "PROCTOR_WORKER_DIR": str(folder),
        "REDIS_URL": NOWHERE,
        **settings,
    }
    return subprocess.run(
        [sys.executable, "-m", "worker.run", "--name", "run-1", *words],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


WAYS = pytest.mark.parametrize("words", [(), ("--poll",)], ids=["with a broker", "without one"])


@WAYS
def test_a_second_worker_of_the_same_name_says_so_and_leaves(tmp_path: Path, words: tuple[str, ...]) -> None:
    held = HostFolder(tmp_path).take_slot("run-1")
    ended = started(tmp_path, *words)
    os.close(held)
    said = "slot 'run-1' is in use by another worker on this host. Give this one another --name.\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)


@WAYS
def test_a_second_worker_with_the_same_gpu_says_so_and_leaves(tmp_path: Path, words: tuple[str, ...]) -> None:
    held = HostFolder(tmp_path).take_gpu("GPU-1")
    ended = started(tmp_path, *words, PROCTOR_SLOT_GPU="GPU-1")
    os.close(held)
    said = "GPU GPU-1 is that of another slot on this host: give each slot a GPU of its own.\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)
