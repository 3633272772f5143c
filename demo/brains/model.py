"""What a synthetic case is made of: the types that leave this package, and the names of its choices."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Split = Literal["finetune", "sanity", "validation", "test", "pretraining"]

SPLITS: tuple[Split, ...] = ("finetune", "sanity", "validation", "test", "pretraining")
TASKS = ("task1", "task2", "task3", "task4", "task5", "task6")
COHORTS = ("controls", "neurodegenerative", "white_matter_disease")


@dataclass(frozen=True)
class Volume:
    """One sequence: `data` int16 [x, y, z]; `affine` 4×4 takes voxel indices to mm (right, front, up)."""

    data: NDArray[np.int16]
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class BrainCase:
    """One session of one synthetic subject; all of `inputs` and `seg` share shape and affine.

    `label` is the text of label.txt (task 6: the cohort, which is released in participants.tsv only). `seg`
    is a uint8 array: the reference of tasks 2 and 4 and, never released, the infarct of task 1; else None.
    """

    inputs: dict[str, Volume]
    label: str | None
    seg: NDArray[np.uint8] | None
    subject: str
    session: str
    sex: str
    age: float
    site: str
    scanner: str
    cohort: str
