"""Seconds and memory of one case by stage and size of the scan: the PyTorch template and the skeleton.

`python -m benchmarks.inference` prints the stages, `make bench ARGS=inference` each case against the limits of FOMO26
and reading a scan against nibabel. Every case is a fresh process, without a container.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import nibabel as nib
import numpy as np
import typer

from baseline_model.scans import read_scan
from benchmarks.support.compare import Comparison, Side, compare
from benchmarks.support.machine import facts
from contract import skeleton
from evaluator.spec import load_challenge
from worker.embedded.data import CHECKOUT

SIZES = {
    "182×218×182 at 1 mm": ((182, 218, 182), (1.0, 1.0, 1.0)),
    "360×512×512 at 0.5 mm": ((360, 512, 512), (0.5, 0.5, 0.5)),
    "512×512×400 at 0.5×0.5×0.6 mm": ((512, 512, 400), (0.5, 0.5, 0.6)),
}
TASKS = {"task4": "--t2", "task6": "--input"}
"""One whose answer is a map of labels and one whose answer is a vector, and the flag of each: both read the scan."""
SECONDS, GIGABYTES = 120.0, 16.0
STAGES = ("start", "import", "read", "model", "head", "write", "all")
_REPEAT = 2
_STAGE = re.compile(r"(\w+) ([\d.]+) s \(([\d.]+)\)")
_PEAK = re.compile(r"peak memory ([\d.]+) GB")


_SKELETON = """
import runpy, sys
from argparse import Namespace
from baseline_model.times import CaseTimes, process_start
program, flag, scan, output = sys.argv[1:]
times = CaseTimes(began=process_start())
times.done("start")
parts = runpy.run_path(program)
times.done("import")
answer = parts["predict"](Namespace(**{flag.strip("-"): scan}))
times.done("head")
parts["write"](answer, output)
times.done("write")
print(times.line(), file=sys.stderr)
"""
"""The skeleton says no times itself, being short: this calls its parts in turn. It reads the scan in `predict`."""


@dataclass(frozen=True)
class MeasuredCase:
    """One process: seconds of each stage, of the clock and of processors; `all` among them. `peak` in GB."""

    stages: dict[str, tuple[float, float]]
    peak: float

    @classmethod
    def of(cls, line: str) -> "MeasuredCase":
        """Read from the line that `CaseTimes` makes."""
        peak = _PEAK.search(line)
        if peak is None:
            raise RuntimeError(f"the program did not say its times: {line}")
        stages = {name: (float(wall), float(busy)) for name, wall, busy in _STAGE.findall(line)}
        return cls(stages, float(peak[1]))


def run() -> list[Comparison]:
    """Both programs against 120 s and 16 GB, and the template's reading against nibabel's."""
    results: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as name:
        for size in SIZES:
            with _scan(Path(name), size) as scan:
                results.append(_reading(size, scan))
                for task in TASKS:
                    results += [_bounded(program, task, size, scan) for program in ("template", "skeleton")]
    return results


def _reading(size: str, scan: Path) -> Comparison:
    def nibabel() -> object:
        image: Any = nib.load(scan)
        return image.get_fdata(dtype=np.float32)

    ours = ("read_scan, every check", lambda: read_scan(scan))
    return compare(f"reading a scan of {size}", ours, ("nibabel get_fdata", nibabel), repeat=3)


def _bounded(program: str, task: str, size: str, scan: Path) -> Comparison:
    found = [measure(program, task, scan) for _ in range(_REPEAT)]
    peak = max(one.peak for one in found)
    if peak > GIGABYTES:
        raise RuntimeError(f"{program}, {task}, {size}: {peak:.1f} GB")
    name = f"a case of {task}, {size}, {peak:.2f} GB"
    ours = Side(program, tuple(one.stages["all"][0] for one in found))
    return Comparison(name, ours, Side("the limit", (SECONDS,) * _REPEAT), least=1)


@contextmanager
def _scan(folder: Path, size: str) -> Iterator[Path]:
    """A scan of that size: shells and noise in an ellipsoid, 16-bit integers, gzipped."""
    shape, spacing = SIZES[size]
    x, y, z = np.meshgrid(
        *(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True
    )
    radius = x**2 / 0.6 + y**2 / 0.8 + z**2 / 0.7
    voxels = np.where(radius < 1, 600 + 200 * np.sin(9 * radius), 0).astype(np.int16)
    voxels += np.random.default_rng(26).integers(0, 40, shape, dtype=np.int16)
    path = folder / "scan.nii.gz"
    nib.save(nib.Nifti1Image(voxels, np.diag([*spacing, 1.0])), path)
    yield path
    path.unlink()


def measure(program: str, task: str, scan: Path) -> MeasuredCase:
    """One case of the template or of the skeleton in a process of its own.

    Raises:
        RuntimeError: it did not answer.
    """
    spec = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml").tasks[task]
    flag, output = TASKS[task], scan.with_name(f"answer{spec.output.suffix}")
    words = ["baseline_model/predict.py", "--times", flag, str(scan), "--output", str(output)]
    if program == "skeleton":
        path = scan.with_name("predict.py")
        path.write_text(str(skeleton.program(spec)))
        words = ["-c", _SKELETON, str(path), flag, str(scan), str(output)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PROCTOR_TASK": task}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # as in the template's image
    done = subprocess.run(
        [sys.executable, *words], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not output.is_file():
        raise RuntimeError(done.stderr)
    output.unlink()
    return MeasuredCase.of(done.stderr)


def main(
    repeat: Annotated[int, typer.Option(min=1, help="Cases of each kind; the fastest is shown.")] = 3,
) -> None:
    """Print where the seconds of a case go, as a table: seconds of the clock, and of processors in brackets."""
    typer.echo("  ".join(f"{key} {value}" for key, value in facts().items()))
    typer.echo(f"| program | task | scan | {' | '.join(STAGES)} | memory |")
    typer.echo("|---" * (len(STAGES) + 4) + "|")
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as name:
        for size in SIZES:
            with _scan(Path(name), size) as scan:
                for program, task in ((one, task) for task in TASKS for one in ("template", "skeleton")):
                    found = [measure(program, task, scan) for _ in range(repeat)]
                    typer.echo(_row(program, task, size, min(found, key=lambda one: one.stages["all"])))


def _row(program: str, task: str, size: str, found: MeasuredCase) -> str:
    stages = [found.stages.get(stage) for stage in STAGES]
    cells = ["" if one is None else f"{one[0]:.2f} ({one[1]:.2f})" for one in stages]
    return f"| {program} | {task} | {size} | {' | '.join(cells)} | {found.peak:.2f} GB |"


if __name__ == "__main__":
    typer.run(main)
