"""The linear heads of tasks 1, 3 and 5, from the few labelled cases."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from baseline_model.config import TrainConfig
from baseline_model.data import LeftOutScans, UnusableSession, examples, read
from baseline_model.faults import TrainingError
from baseline_model.features import Norms, anatomy, parts_of
from baseline_model.network import Trunk
from baseline_model.selection import ChosenHead, LabelledRows, choose

NUMBERS = {1: ("flair", "dwi", "adc"), 3: ("t1w",), 5: ("t1w",)}
"""The tasks whose answer is a number, and the sequences that it is made of."""
CLASSES = (1, 5)

log = logging.getLogger(__name__)


def number_head(task: int, data: Path, trunk: Trunk, norms: Norms, config: TrainConfig) -> ChosenHead:
    """The head of a task whose answer is a number: years, or log odds of what is looked for.

    Raises:
        TrainingError: there are no cases, too few of a class, or too many are unusable.
    """
    try:
        rows = labelled_rows(task, data, trunk, norms, config)
        chosen = choose(rows, folds=config.heads.folds, repeats=config.heads.repeats, seed=config.seed)
    except TrainingError as error:
        raise TrainingError(f"task {task}: {error}") from None
    log.info("task %d, %d cases: %s", task, len(rows.wanted), chosen.note)
    return chosen


def labelled_rows(task: int, data: Path, trunk: Trunk, norms: Norms, config: TrainConfig) -> LabelledRows:
    """What the heads of a task may see of every usable labelled case.

    Raises:
        TrainingError: there are no cases, or too many are unusable.
    """
    cases = examples(data, task)
    out, seen, wanted, subjects = LeftOutScans(len(cases), config.faulty), [], [], []
    for case in cases:
        try:
            label, scans = case.number(), case.scans(NUMBERS[task])
        except UnusableSession as fault:
            out.add(fault)
            continue
        seen.append(parts_of(f"task{task}", trunk, norms, scans))
        wanted.append(label)
        subjects.append(case.subject)
    if not seen:
        raise TrainingError("none of its cases can be used")
    parts = {name: np.stack([one[name].double().numpy() for one in seen]) for name in seen[0]}
    return LabelledRows(parts, np.array(wanted), subjects, classes=task in CLASSES)


def norms_of(trunk: Trunk, paths: Sequence[Path]) -> Norms:
    """What unlabelled T1-weighted scans look like.

    Raises:
        TrainingError: there are fewer than two.
    """
    if len(paths) < 2:
        raise TrainingError(
            "the unlabelled scans hold fewer than two T1-weighted ones (t1w.nii.gz or t1.nii.gz)"
        )
    scans = [anatomy(trunk, read(path)) for path in paths]
    return Norms.of(
        torch.stack([scan.maps for scan in scans]), torch.stack([scan.descriptor for scan in scans])
    )
