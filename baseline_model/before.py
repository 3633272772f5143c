"""What a training asks of its data before it begins, so that no later stage stops after hours for want of it."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from baseline_model.data import Example, LeftOutScans, UnusableSession, examples, sequence_of, unlabelled
from baseline_model.faults import TrainingError
from baseline_model.finetune import CLASSES, NUMBERS
from baseline_model.segmentation import MENINGIOMA, NERVE
from baseline_model.selection import fewest_subjects

_KEYS = {**NUMBERS, **{masks.number: masks.keys for masks in (MENINGIOMA, NERVE)}}


def require_labels(data: Path, tasks: Iterable[int], faulty: float) -> None:
    """Refuses labelled cases of which a head of one of `tasks` cannot be made, as far as can be told without a scan.

    Raises:
        TrainingError: a task has no labelled sessions, too few of a class, or more than the share `faulty` of them
            lack a sequence or a number.
    """
    for task in sorted(tasks):
        cases = examples(data, task)
        try:
            _require_usable(task, cases, faulty)
        except TrainingError as error:
            raise TrainingError(f"task {task}: {error}") from None


def require_scans(data: Path) -> None:
    """Refuses unlabelled scans that make no norms.

    Raises:
        TrainingError: fewer than two of them are T1-weighted.
    """
    paths = [path for session in unlabelled(data) for path in session.values()]
    if sum(sequence_of(path.name) == "t1w" for path in paths) < 2:
        raise TrainingError(
            f"{data / 'pretraining'}: holds fewer than two T1-weighted scans (t1w.nii.gz or t1.nii.gz)"
        )


def _require_usable(task: int, cases: list[Example], faulty: float) -> None:
    wanted, subjects, faults = [], [], []
    for case in cases:
        try:
            case.require(_KEYS[task])
            wanted.append(case.number() if task in NUMBERS else 0.0)
            subjects.append(case.subject)
        except UnusableSession as unusable:
            faults.append(str(unusable))
    if len(faults) > faulty * len(cases):  # else they are named when they are left out, and not twice
        out = LeftOutScans(len(cases), faulty)
        for fault in faults:
            out.add(fault)
    if not wanted:
        raise TrainingError("none of its cases can be used")
    if task in NUMBERS:
        fewest_subjects(np.array(wanted), subjects, classes=task in CLASSES)
