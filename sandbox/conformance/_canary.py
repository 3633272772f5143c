"""The canary: a known program on a known scan, one case per kind of output, through the path of every case."""

import gzip
import hashlib
import secrets
import shutil
import struct
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evaluator.spec import Limits, Task, kind_of, rows
from sandbox.conformance import _image
from sandbox.conformance._job import PREFIX, limits
from sandbox.conformance._result import Result
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, CaseOutcome, Slot
from sandbox.run import run_case

_SHAPE = (6, 7, 8)


CANARY = "canary: "
"""How the names of its results begin."""


def canary(
    engine: Engine,
    profile: str,
    runtime: str,
    scratch: Path,
    *,
    slot: Slot | None = None,
    prefix: str = PREFIX,
) -> list[Result]:
    """One result per kind of output: whether the whole path gives the answer that is known; takes about a second.

    The arguments are those of `run`.

    Raises:
        EngineFault: the suite's image cannot be made here.
    """
    image, known = _image.ensure(engine), [kind.name for kind in rows()]
    folder = scratch / f"canary-{uuid.uuid4()}"
    folder.mkdir(mode=0o711)
    try:
        scan = folder / "scan.nii.gz"
        scan.write_bytes(canary_scan())
        jobs = [_job(kind, image, limits(profile, runtime), folder, slot or Slot(), prefix) for kind in known]
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda job: _outcome(engine, job), jobs))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [_result(kind, outcome, profile, runtime) for kind, outcome in zip(known, outcomes, strict=True)]


def canary_scan() -> bytes:
    """A NIfTI-1 file of one byte per voxel, 1 mm wide, in the identity's orientation."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(_SHAPE), *_SHAPE, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 2, 8)
    struct.pack_into("<8f", header, 76, *[1.0] * 8)
    struct.pack_into("<ff", header, 108, 352.0, 1.0)
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    header[344:348] = b"n+1\0"
    voxels = _SHAPE[0] * _SHAPE[1] * _SHAPE[2]
    return gzip.compress(bytes(header) + bytes(37 * voxel % 101 for voxel in range(voxels)), mtime=0)


def _job(kind: str, image: str, bounds: Limits, folder: Path, slot: Slot, prefix: str) -> CaseJob:
    task = {
        "title": "Canary",
        "inputs": [{"key": "scan", "flag": "--scan", "file": "scan.nii.gz"}],
        "call": list(_image.CALL),
        "output": {"kind": kind, **kind_of(kind).canary.parameters},
    }
    return CaseJob(
        name=f"{prefix}{uuid.uuid4()}-1",
        image=image,
        task=Task.model_validate(task),
        task_name=kind,
        track="canary",
        inputs={"scan": folder / "scan.nii.gz"},
        pseudonym=secrets.token_hex(8),
        limits=bounds,
        slot=slot,
        scratch=folder / kind,
    )


def _outcome(engine: Engine, job: CaseJob) -> CaseOutcome | EngineFault:
    try:
        return run_case(engine, job)
    except EngineFault as fault:
        return fault


def _result(kind: str, outcome: CaseOutcome | EngineFault, profile: str, runtime: str) -> Result:
    got = _wrong(kind, outcome)
    denied = f"another answer than the known one for a known scan ({kind})"
    return Result(f"{CANARY}{kind}", denied, got is None, got or "", profile, runtime)


def _wrong(kind: str, outcome: CaseOutcome | EngineFault) -> str | None:
    if isinstance(outcome, EngineFault):
        return str(outcome)
    if outcome.output is None:
        last = outcome.log.strip().splitlines()[-1:] or [""]
        return f"{outcome.verdict.code}: {last[0][:300]}"
    known = kind_of(kind).canary
    digest = hashlib.sha256(known.unpacked(outcome.output)).hexdigest()
    if digest == known.sha256:
        return None
    return f"the answer's digest is {digest[:16]}…, the known one's {known.sha256[:16]}…"
