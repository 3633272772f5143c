"""One case in a fresh hardened container, output collected and checked, against a bare `docker run`."""

import itertools
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Image

from benchmarks.support.compare import Comparison, compare
from demo.images import build_image, ensure_base
from evaluator.spec import Challenge, load_challenge
from sandbox.archive import DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.jobs import CaseJob, Slot
from sandbox.run import run_case
from worker.embedded.data import CHECKOUT

_PREDICT = b"import sys\nopen(sys.argv[sys.argv.index('--output') + 1], 'w').write('0.5')\n"
_NUMPY = b"import numpy, nibabel\n" + _PREDICT


def run() -> list[Comparison]:
    """A command that only writes its output, and one that imports numpy and nibabel first."""
    spec = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml", CHECKOUT / "demo/overlay.yaml")
    engine = Engine.connect()
    try:
        cases = {"python": _PREDICT, "python + numpy + nibabel": _NUMPY}
        return [_compare(engine, spec, name, code) for name, code in cases.items()]
    finally:
        engine.close()


def _compare(engine: Engine, spec: Challenge, name: str, code: bytes) -> Comparison:
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as folder, _loaded(engine, code) as image:
        top = Path(folder)
        top.chmod(0o711)
        scan = top / "t1w.nii.gz"
        Nifti1Image(np.ones((64, 64, 64), np.int16), np.eye(4)).to_filename(scan)
        numbers = itertools.count(1)
        return compare(
            f"one case, {name}",
            ("run_case", lambda: _sandboxed(engine, spec, image, scan, top / str(next(numbers)))),
            ("docker run", lambda: _bare(image, scan, top / str(next(numbers)))),
            repeat=6,
        )


@contextmanager
def _loaded(engine: Engine, code: bytes) -> Iterator[str]:
    """The image with `code` as its /app/predict.py, checked and loaded as a worker does it."""
    archive = build_image({"/app/predict.py": code}, ensure_base(), name="proctor-bench")
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as folder:
        sink = DirectorySink(Path(folder))
        facts = check_archive(archive, limit=4 * 2**30, sink=sink)
        canonical = Path(folder) / "canonical.tar"
        with canonical.open("wb") as out:
            write_canonical(facts, sink.open, out)
        with canonical.open("rb") as stored:
            engine.load(stored, facts.digest)
    archive.unlink()
    try:
        yield facts.digest
    finally:
        engine.remove_image(facts.digest)


def _sandboxed(engine: Engine, spec: Challenge, image: str, scan: Path, scratch: Path) -> None:
    job = CaseJob(
        name=f"proctor-bench-{uuid.uuid4()}-1",
        image=image,
        task=spec.tasks["task5"],
        task_name="task5",
        track="method",
        inputs={"t1w": scan},
        pseudonym="case",
        limits=spec.limits,
        slot=Slot(),
        scratch=scratch,
    )
    outcome = run_case(engine, job)
    if not outcome.verdict.valid:
        raise RuntimeError(f"{outcome.verdict.message}\n{outcome.log}")


def _bare(image: str, scan: Path, output: Path) -> None:
    output.mkdir()
    command = ["docker", "run", "--rm", "--network", "none"]
    command += ["--volume", f"{scan}:/input/t1w.nii.gz:ro", "--volume", f"{output}:/output", image]
    command += ["python", "/app/predict.py", "--t1", "/input/t1w.nii.gz", "--output", "/output/case.txt"]
    subprocess.run(command, check=True, capture_output=True)
    if not (output / "case.txt").is_file():
        raise RuntimeError("the bare container wrote no output")
