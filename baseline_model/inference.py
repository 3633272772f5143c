"""One case from the call to the output file."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baseline_model.checkpoint import TrainedModel, load_model
from baseline_model.features import SLAB, anatomy, folding_signs, infarct_signs, segmentation_volumes, whole
from baseline_model.network import SegmentationHead, Trunk, stack_features
from baseline_model.volumes import HEAD, Grid, Scan, from_grid, load

FLAGS = {
    "flair": "flair", "dwi": "dwi", "adc": "adc", "t2s": "t2s", "swi": "swi", "t1": "t1w", "t2": "t2w", "input": "t1w",
}  # fmt: skip

USED = {
    "task1": ("flair", "dwi", "adc"), "task2": ("flair", "dwi"), "task3": ("t1w",),
    "task4": ("t2w",), "task5": ("t1w",), "task6": ("t1w",),
}  # fmt: skip
"""The sequences that a task's answer is made of; the others are not read."""


def main(arguments: list[str] | None = None, model: TrainedModel | None = None) -> None:
    """One case: reads the call, predicts, writes the output file. The model is loaded unless it is given."""
    parser = argparse.ArgumentParser()
    for flag in FLAGS:
        parser.add_argument(f"--{flag}", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    given = vars(parser.parse_args(arguments))
    paths = {key: given[flag] for flag, key in FLAGS.items() if given[flag] is not None}
    task = os.environ.get("PROCTOR_TASK") or guess_task(set(paths), given["output"])
    scans = {key: load(paths[key]) for key in USED.get(task, paths)}
    write(predict(model or load_model(), task, scans), given["output"], like=next(iter(scans.values())))


def guess_task(sequences: set[str], output: Path) -> str:
    """The task by its inputs, where nobody names it. Tasks 3 and 5 have the same call; it takes 3."""
    if "flair" in sequences:
        return "task1" if "adc" in sequences else "task2"
    if "t2w" in sequences:
        return "task4"
    return "task6" if output.suffix == ".npy" else "task3"


def predict(model: TrainedModel, task: str, scans: Mapping[str, Scan]) -> float | NDArray[np.generic]:
    """The answer to a task: a number (1, 3, 5), a label map in the scan's own voxels (2, 4), a vector (6).

    Raises:
        ValueError: no such task.
    """
    with torch.no_grad():
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
    classes = from_grid(chances[1:], grid, centre, scans[keys[0]])
    return np.where(classes.sum(axis=0) >= 0.5, classes.argmax(axis=0) + 1, 0).astype(np.uint8)


def write(answer: float | NDArray[np.generic], output: Path, *, like: Scan) -> None:
    """The answer in the format of its kind; a label map takes the affine of `like`."""
    if isinstance(answer, float):
        output.write_text(f"{answer:.6f}\n")
    elif answer.ndim == 1:
        np.save(output, answer)
    else:
        nib.save(nib.Nifti1Image(answer, like.affine), output)
