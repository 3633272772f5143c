"""From the scans of a case to its answer."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model
from baseline_model.features import SLAB, anatomy, folding_signs, infarct_signs, segmentation_volumes, whole
from baseline_model.network import SegmentationHead, Trunk, stack_features
from baseline_model.scans import CannotAnswer, CaseFault, Scan
from baseline_model.volumes import HEAD, Grid, slabs_from_grid


def ready_model() -> TrainedModel:
    """The committed checkpoint, on the CPU on every machine, so that a GPU changes no answer.

    Raises:
        CannotAnswer: the checkpoint is missing, damaged or of another version.
    """
    try:
        return load_model()
    except Exception as error:  # noqa: BLE001 - a damaged file raises nearly anything, and each means this
        reason = str(error).partition("\n")[0]
        raise CannotAnswer(CaseFault.CHECKPOINT, f"{DEFAULT}: cannot be loaded ({reason})") from None


def predict(model: TrainedModel, task: str, scans: Mapping[str, Scan]) -> float | NDArray[np.generic]:
    """The answer to a task: a number (1, 3, 5), a label map in the scan's own voxels (2, 4), a vector (6).

    Raises:
        ValueError: no such task.
    """
    with torch.inference_mode():
        if task == "task1":
            return float(model.infarct(infarct_signs(scans)[None]).sigmoid())
        if task == "task2":
            return segment(model.trunk, model.meningioma, scans, ("flair", "dwi"), HEAD)
        if task == "task4":
            return segment(model.trunk, model.nerve, scans, ("t2w",), SLAB)
        if task not in ("task3", "task5", "task6"):
            raise ValueError(f"unknown task: {task}")
        seen = anatomy(model.trunk, scans["t1w"])
        if task == "task3":
            return float(model.age(whole(seen, model.norms)[None]).clamp(0, 110))
        if task == "task5":
            return float(model.folding(folding_signs(seen, model.norms)[None]).sigmoid())
        return whole(seen, model.norms).numpy().astype(np.float32)


def segment(
    trunk: Trunk, head: SegmentationHead, scans: Mapping[str, Scan], keys: tuple[str, ...], grid: Grid
) -> NDArray[np.uint8]:
    """Labels in the voxels of the first sequence."""
    volumes, centre = segmentation_volumes(scans, keys, grid)
    chances: Tensor = head(stack_features(trunk, volumes)[None]).softmax(dim=1)[0]
    labels = np.zeros(scans[keys[0]].data.shape, dtype=np.uint8, order="F")
    start = 0
    for classes in slabs_from_grid(chances[1:], grid, centre, scans[keys[0]]):
        found = np.where(classes.sum(axis=0) >= 0.5, classes.argmax(axis=0) + 1, 0)
        labels[start : start + len(found)] = found
        start += len(found)
    return labels
