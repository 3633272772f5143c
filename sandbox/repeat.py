"""Whether two runs of one case gave the same answer, within the tolerance declared for its output kind.

A case that was answered by a container that serves several is repeated now and then in a fresh one. Sums in
another order differ in the last digits, so equality is asked for up to what no metric or ranking notices.
"""

from typing import cast

import numpy as np

from evaluator.outputs import LabelMap, decode
from evaluator.spec import Task

NUMBER = 1e-5
"""Largest difference of two numbers or class scores, relative to the larger of 1 and their magnitude."""

EMBEDDING = 1e-4
"""Largest difference of two vectors in any component, relative to the largest component."""

SEGMENTATION = 1e-4
"""Largest share of differing voxels among those that either map labels."""


def agree(task: Task, one: bytes, other: bytes) -> bool:
    """Whether two canonical outputs of one case are the same answer.

    Raises:
        evaluator.outputs.NotCanonical: bytes that no check of ours wrote.
    """
    first, second = decode(task, one), decode(task, other)
    if task.output.kind == "segmentation":
        return _same_labels(np.asarray(cast(LabelMap, first)), np.asarray(cast(LabelMap, second)))
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape:
        return False
    size = float(np.abs([a, b]).max())
    if task.output.kind == "embedding":
        return bool(np.abs(a - b).max() <= EMBEDDING * size)
    return bool(np.abs(a - b).max() <= NUMBER * max(1.0, size))


def _same_labels(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    labelled = np.count_nonzero((one != 0) | (other != 0))
    return bool(np.count_nonzero(one != other) <= SEGMENTATION * labelled)
