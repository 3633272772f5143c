"""The demo's hidden data: made once per version of the generator, then taken from the cache."""

import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.images import cache_dir
from worker.embedded.data import CHECKOUT

TASKS = ("task1", "task2", "task3", "task4", "task5", "task6")
SEED = 26
CASES = {"validation": {"task6": 16, "other": 12}, "sanity": {"task6": 1, "other": 2}}
"""Cases per task; of task 6 per cohort, of which there are three."""


def make_datasets(phase: str, *, spacing_mm: float) -> dict[str, Path]:
    """The `Task_N` folder of every task of one phase, in the released FOMO layout."""
    root = cache_dir().parent / "brains" / _version(spacing_mm) / phase
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        folders = pool.map(lambda task: _make(root, phase, task, spacing_mm), TASKS)
        return dict(zip(TASKS, folders, strict=True))


def _make(root: Path, phase: str, task: str, spacing_mm: float) -> Path:
    name = f"Task_{task.removeprefix('task')}"
    folder = root / name
    if folder.is_dir():
        return folder
    fresh = root / f".{task}.{os.getpid()}"
    cases = CASES[phase].get(task, CASES[phase]["other"])
    command = [sys.executable, "-m", "demo.brains", str(fresh), "--task", task, "--split", phase]
    command += ["--cases", str(cases), "--seed", str(SEED), "--spacing", str(spacing_mm)]
    try:
        subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, env=_environment())
        (fresh / name).rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _environment() -> dict[str, str]:
    """One thread per process: there is a process per core already."""
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _version(spacing_mm: float) -> str:
    """A digest of the generator's source and the demo's parameters: a changed generator makes new data."""
    digest = hashlib.sha256(repr((SEED, CASES, spacing_mm)).encode())
    for path in sorted((Path(__file__).parent / "brains").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
