"""Synthetic cases as files, in the layout in which the challenge releases its data."""

import csv
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from demo.brains.cases import make_case
from demo.brains.model import COHORTS, TASKS, BrainCase, Split

COLUMNS = ("participant_id", "session_id", "sex", "age", "site", "scanner", "cohort")
SEGMENTED = ("task2", "task4")
Advance = Callable[[], object]


def count_cases(task: str, cases: int) -> int:
    """How many sessions `write_dataset` writes: `cases`, for task 6 `cases` of each cohort."""
    return cases * len(COHORTS) if task == "task6" else cases


def write_dataset(
    root: Path,
    task: str,
    split: Split,
    cases: int,
    *,
    seed: int,
    spacing_mm: float = 2.0,
    advance: Advance | None = None,
) -> Path:
    """Writes one split of one task under `root` and returns its `Task_N` directory.

    Args:
        root: made if missing; one root per split, as the released archives are.
        task: task1 … task6.
        split: whose institutions scan.
        cases: how many; for task 6 of each cohort (some subjects then have two sessions).
        seed: of the whole data set: the same seed gives the same bytes.
        spacing_mm: see `make_case`.
        advance: called after each case, for progress.

    Raises:
        ValueError: an unknown task or split.

    """
    folder = root / f"Task_{task.removeprefix('task')}"
    rows = []
    for index in range(count_cases(task, cases)):
        case = make_case(task, split, index, seed=seed, spacing_mm=spacing_mm)
        write_scans(folder / "preprocessed", case)
        _write_label(folder / "labels" / case.subject / case.session, task, case)
        rows.append(_row(case))
        if advance is not None:
            advance()
    _write_participants(folder / "participants.tsv", rows)
    return folder


def write_pretraining(
    root: Path, n: int, *, seed: int, spacing_mm: float = 2.0, advance: Advance | None = None
) -> Path:
    """Writes `n` unlabelled sessions as `root/sub-XXXX/ses-01/<sequence>.nii.gz`; returns `root`.

    All kinds of scan; their institutions and subjects appear in no other split.
    """
    for index in range(n):
        case = make_case(TASKS[index % len(TASKS)], "pretraining", index, seed=seed, spacing_mm=spacing_mm)
        write_scans(root, case, subject=f"sub-{index + 1:04d}")
        if advance is not None:
            advance()
    return root


def write_scans(folder: Path, case: BrainCase, *, subject: str | None = None) -> None:
    """The case's sequences as `<subject>/<session>/<sequence>.nii.gz` under `folder`."""
    place = folder / (subject or case.subject) / case.session
    place.mkdir(parents=True, exist_ok=True)
    for key, volume in case.inputs.items():
        (place / f"{key}.nii.gz").write_bytes(encode_nifti(volume.data, volume.affine))


def encode_nifti(data: NDArray[np.generic], affine: NDArray[np.float64]) -> bytes:
    """A lightly packed NIfTI-1 file in millimetres, without a time stamp: equal voxels, equal bytes."""
    image: Any = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def _write_label(place: Path, task: str, case: BrainCase) -> None:
    if task == "task6":
        return  # the cohort is in participants.tsv
    place.mkdir(parents=True, exist_ok=True)
    if task in SEGMENTED and case.seg is not None:
        affine = next(iter(case.inputs.values())).affine
        (place / "seg.nii.gz").write_bytes(encode_nifti(case.seg, affine))
    else:
        (place / "label.txt").write_text(f"{case.label}\n")


def _row(case: BrainCase) -> tuple[str, ...]:
    return case.subject, case.session, case.sex, f"{case.age:.1f}", case.site, case.scanner, case.cohort


def _write_participants(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(rows))
