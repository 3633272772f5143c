"""From the scans of a case to its answer."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model
from baseline_model.features import SLAB, parts_of, segmentation_volumes
from baseline_model.network import SegmentationHead, Trunk, stack_features
from baseline_model.scans import CannotAnswer, CaseFault, Scan
from baseline_model.volumes import HEAD, Grid, slabs_from_grid
from baseline_model.windows import slid, window_of


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
        if task == "task2":
            return segment(model.trunk, model.meningioma, scans, ("flair", "dwi"), HEAD)
        if task == "task4":
            return segment(model.trunk, model.nerve, scans, ("t2w",), SLAB)
        if task not in ("task1", "task3", "task5", "task6"):
            raise ValueError(f"unknown task: {task}")
        seen = torch.cat(list(parts_of(task, model.trunk, model.norms, scans).values()))
        if task == "task3":
            return float(model.age(seen[None]).clamp(0, 110))
        if task == "task6":
            return seen.numpy().astype(np.float32)
        return float((model.infarct if task == "task1" else model.folding)(seen[None]).sigmoid())


def segment(
    trunk: Trunk, head: SegmentationHead, scans: Mapping[str, Scan], keys: tuple[str, ...], grid: Grid
) -> NDArray[np.uint8]:
    """Labels in the voxels of the first sequence."""
    volumes, centre = segmentation_volumes(scans, keys, grid)
    chances = slid(stack_features(trunk, volumes), window_of(grid.shape), head)
    return onto_scan(chances[1:], grid, centre, scans[keys[0]])


def onto_scan(chances: Tensor, grid: Grid, centre: NDArray[np.float64], scan: Scan) -> NDArray[np.uint8]:
    """Labels 1, 2, … in the voxels of `scan`, from the chances [labels, x, y, z] of each on `grid`."""
    labels = np.zeros(scan.data.shape, dtype=np.uint8, order="F")
    start = 0
    for classes in slabs_from_grid(chances, grid, centre, scan):
        found = np.where(classes.sum(axis=0) >= 0.5, classes.argmax(axis=0) + 1, 0)
        labels[start : start + len(found)] = found
        start += len(found)
    return labels
