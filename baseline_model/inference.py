"""From the scans of a case to its answer."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model
from baseline_model.features import SLAB, parts_of, segmentation_volumes
from baseline_model.heads import LinearHead
from baseline_model.network import MaskNetwork, with_other_side
from baseline_model.scans import CannotAnswer, CaseFault, Scan
from baseline_model.volumes import HEAD, Grid, parts_from_grid
from baseline_model.windows import slid, window_of

CPU = torch.device("cpu")
Network = TypeVar("Network", bound=nn.Module)


def ready_model(path: Path = DEFAULT) -> TrainedModel:
    """The checkpoint, on the CPU.

    Raises:
        CannotAnswer: the checkpoint is missing, damaged or of another version.
    """
    try:
        return load_model(path)
    except FileNotFoundError:
        raise CannotAnswer(CaseFault.CHECKPOINT, f"{path}: there is no such file") from None
    except Exception:  # noqa: BLE001 - a damaged file raises nearly anything, and each means this
        raise CannotAnswer(
            CaseFault.CHECKPOINT, f"{path}: damaged, or no checkpoint of this network"
        ) from None


def ready_device() -> torch.device:
    """The GPU where there is one, made to add up as the CPU does; else the CPU."""
    if not torch.cuda.is_available():
        return CPU
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda")


def predict(
    model: TrainedModel, task: str, scans: Mapping[str, Scan], device: torch.device = CPU
) -> float | NDArray[np.generic]:
    """The answer to a task: a number (1, 3, 5), a label map in the scan's own voxels (2, 4), a vector (6).

    The networks of label maps run on `device`; one pass over a whole head is done before a GPU has started.

    Raises:
        ValueError: no such task.
        CannotAnswer: the checkpoint has no head for it, or one for other features than its trunk gives.
    """
    if task in model.left_out:
        raise CannotAnswer(CaseFault.CHECKPOINT, f"the checkpoint was trained for other tasks than {task}")
    with torch.inference_mode():
        if task == "task2":
            return segment(model.meningioma, scans, ("flair", "dwi"), HEAD, device)
        if task == "task4":
            return segment(model.nerve, scans, ("t2w",), SLAB, device)
        if task not in ("task1", "task3", "task5", "task6"):
            raise ValueError(f"unknown task: {task}")
        seen = torch.cat(list(parts_of(task, model.trunk, model.norms, scans).values()))
        if task == "task3":
            return float(_value(model.age, seen).clamp(0, 110))
        if task == "task6":
            return seen.numpy().astype(np.float32)
        return float(_value(model.infarct if task == "task1" else model.folding, seen).sigmoid())


def _value(head: LinearHead, seen: Tensor) -> Tensor:
    if head.weight.shape != seen.shape:
        raise CannotAnswer(
            CaseFault.CHECKPOINT, "the checkpoint's head sees other features than its trunk gives"
        )
    return head(seen[None])


def segment(
    network: MaskNetwork,
    scans: Mapping[str, Scan],
    keys: tuple[str, ...],
    grid: Grid,
    device: torch.device,
) -> NDArray[np.uint8]:
    """Labels in the voxels of the first sequence; the network runs on `device`, all else on the CPU."""
    volumes, centre = segmentation_volumes(scans, keys, grid)
    seen = with_other_side(torch.stack(volumes)).to(device)
    chances = slid(seen, window_of(grid.shape), _placed(network, device))
    return onto_scan(chances[1:], grid, centre, scans[keys[0]])


def onto_scan(chances: Tensor, grid: Grid, centre: NDArray[np.float64], scan: Scan) -> NDArray[np.uint8]:
    """Labels 1, 2, … in the voxels of `scan`, from the chances [labels, x, y, z] of each on `grid`."""
    labels = np.zeros(scan.data.shape, dtype=np.uint8, order="F")
    for part, classes in parts_from_grid(chances, grid, centre, scan):
        labels[part] = np.where(classes.sum(axis=0) >= 0.5, classes.argmax(axis=0) + 1, 0)
    return labels


def _placed(network: Network, device: torch.device) -> Network:
    """The network on the device; the one on the CPU stays where it is, for the next case."""
    return network if device.type == "cpu" else copy.deepcopy(network).to(device)
