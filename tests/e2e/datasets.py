"""Tiny hidden datasets in the FOMO layout whose voxels carry the answers, with canaries where nothing may leak.

Every case name, site, scanner and cohort contains "canary": a page or an answer that shows one has leaked.
"""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluator.outputs import EmbeddingOutput, SegmentationOutput
from evaluator.spec import Challenge, Task

CANARY = "canary"
COHORTS = 3
FIRST_LABEL = 1000  # as in honest.py
_SIDE = 16


def write_task(challenge: Challenge, task: str, folder: Path, *, cases: int = 4, seed: int = 0) -> Path:
    """A Task_N folder with `cases` cases, or that many per cohort for embeddings; returns it.

    Another `seed` makes other scans: a scan of a hidden phase can be in no public one.
    """
    spec, root = challenge.tasks[task], folder / f"Task_{task[-1]}"
    rows = ["participant_id\tsex\tage\tsite\tscanner\tcohort"]
    for number in range(cases * COHORTS if isinstance(spec.output, EmbeddingOutput) else cases):
        subject = f"sub-{CANARY}{task}n{number:02}"
        cohort = number % COHORTS
        age = 25 + 20 * (number // COHORTS % 4)
        rows.append(
            f"{subject}\t{'FM'[number // COHORTS % 2]}\t{age}\t{CANARY}site\t{CANARY}scanner\t{CANARY}{cohort}"
        )
        _write_case(root, subject, task, spec, number, seed)
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    return root


def _write_case(root: Path, subject: str, task: str, spec: Task, number: int, seed: int) -> None:
    inputs, labels = (root / kind / subject / "ses-01" for kind in ("preprocessed", "labels"))
    inputs.mkdir(parents=True)
    labels.mkdir(parents=True)
    voxels = np.random.default_rng([seed, number]).integers(1, 900, (_SIDE,) * 3).astype(np.int16)
    if isinstance(spec.output, SegmentationOutput):
        mask = _mask(spec.output.labels, number)
        voxels[mask > 0] = FIRST_LABEL + mask[mask > 0]
        (labels / "seg.nii.gz").write_bytes(nifti(mask))
    elif isinstance(spec.output, EmbeddingOutput):
        voxels[0, 0, 0] = number % COHORTS
    else:
        hundredths = 2500 + 1373 * number if task == "task3" else 100 * (number % 2)
        voxels[0, 0, 0] = hundredths
        (labels / "label.txt").write_text(f"{hundredths / 100}\n")
    for file in _one_of_each(spec):
        (inputs / file).write_bytes(nifti(voxels))


def _one_of_each(spec: Task) -> Iterator[str]:
    """File names of all inputs, the first of every choice."""
    for entry in spec.inputs:
        yield entry.file if hasattr(entry, "file") else entry.one_of[0].file


def _mask(labels: tuple[int, ...], number: int) -> npt.NDArray[np.int16]:
    mask = np.zeros((_SIDE,) * 3, dtype=np.int16)
    for label in labels:
        if label:
            start = 1 + 4 * label + number % 3
            mask[start : start + 3, 4:9, 3 : 8 + number % 4] = label
    return mask


def nifti(voxels: npt.NDArray[np.int16]) -> bytes:
    """A gzipped NIfTI-1 file of 1 mm voxels, with a name in the gzip header and a description that must go."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *voxels.shape, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, *[1.0] * 8)
    struct.pack_into("<3f", header, 108, 352.0, 1.0, 0.0)
    header[148:161] = b"canarypatient"
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 1, 0, 0, -8, 0, 1, 0, -8, 0, 0, 1, -8)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + voxels.astype("<i2").tobytes(order="F"), 1)
