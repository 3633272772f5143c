"""The heads, from the few labelled cases."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baseline_model.data import examples
from baseline_model.features import (
    SLAB,
    Norms,
    anatomy,
    folding_signs,
    infarct_signs,
    segmentation_volumes,
    whole,
)
from baseline_model.heads import LinearHead, fit_logistic, fit_ridge
from baseline_model.network import SegmentationHead, Trunk, stack_features
from baseline_model.volumes import HEAD, Grid, Scan, load, onto_grid

LABEL_WEIGHT = 5.0  # thin and small structures would else be given up for the background

log = logging.getLogger(__name__)


def infarct_head(data: Path) -> LinearHead:
    """Task 1: log odds of an acute infarct."""
    cases = examples(data, 1)
    features = torch.stack([infarct_signs(case.scans()) for case in cases])
    return fit_logistic(features, torch.tensor([case.number() for case in cases]), 0.03)


def age_head(data: Path, trunk: Trunk, norms: Norms) -> LinearHead:
    """Task 3: years."""
    cases = examples(data, 3)
    features = torch.stack([whole(anatomy(trunk, load(case.files["t1w"])), norms) for case in cases])
    return fit_ridge(features, torch.tensor([case.number() for case in cases]), 0.1)


def folding_head(data: Path, trunk: Trunk, norms: Norms) -> LinearHead:
    """Task 5: log odds of polymicrogyria."""
    cases = examples(data, 5)
    features = torch.stack([folding_signs(anatomy(trunk, load(case.files["t1w"])), norms) for case in cases])
    return fit_logistic(features, torch.tensor([case.number() for case in cases]), 0.1)


def segmentation_head(
    head: SegmentationHead,
    data: Path,
    task: int,
    trunk: Trunk,
    *,
    epochs: int,
    seed: int,
    device: torch.device,
) -> SegmentationHead:
    """Tasks 2 and 4: trains `head` on features of the frozen trunk, each case also mirrored."""
    keys, grid = (("flair", "dwi"), HEAD) if task == 2 else (("t2w",), SLAB)
    pairs = [
        pair for case in examples(data, task) for pair in _prepared(case.files, case.label, keys, grid, trunk)
    ]
    torch.manual_seed(seed)
    head = head.to(device).train()
    optimiser = torch.optim.AdamW(head.parameters(), lr=4e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=4e-3, total_steps=epochs * len(pairs) + 1
    )
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(pairs)).tolist():
            features, labels = (part.to(device) for part in pairs[index])
            loss = segmentation_loss(head(features.float()[None]), labels[None])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += loss.item()
        log.info("task %d epoch %d loss %.3f", task, epoch, total / len(pairs))
    return head.eval().cpu()


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with LABEL_WEIGHT plus one minus the mean soft Dice of labels 1, 2, …; `labels` [n, x, y, z]."""
    chance = logits.softmax(dim=1)
    wanted = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)
    both = (chance * wanted).sum(dim=(0, 2, 3, 4))[1:]
    either = (chance + wanted).sum(dim=(0, 2, 3, 4))[1:]
    weights = torch.full((logits.shape[1],), LABEL_WEIGHT, device=logits.device)
    weights[0] = 1.0
    entropy = functional.cross_entropy(logits, labels, weight=weights)
    return entropy + 1 - (2 * both / (either + 1)).mean()


@torch.no_grad()
def _prepared(
    files: dict[str, Path], label: Path, keys: tuple[str, ...], grid: Grid, trunk: Trunk
) -> Sequence[tuple[Tensor, Tensor]]:
    """Features and labels of a case and of its mirror image."""
    volumes, centre = segmentation_volumes({key: load(files[key]) for key in keys}, keys, grid)
    labels = _labels(label, grid, centre)
    mirrored = [volume.flip(0) for volume in volumes]
    return (
        (stack_features(trunk, volumes).half(), labels),
        (stack_features(trunk, mirrored).half(), labels.flip(0)),
    )


def _labels(path: Path, grid: Grid, centre: NDArray[np.float64]) -> Tensor:
    """The label that fills most of each voxel of the grid, int64; label by label, as labels cannot be averaged."""
    scan = load(path)
    masks = ((scan.data == label).astype(np.float32) for label in range(1, 1 + int(scan.data.max())))
    shares = [onto_grid(Scan(mask, scan.affine), grid, centre) for mask in masks]
    if not shares:
        return torch.zeros(grid.shape, dtype=torch.int64)
    stacked = torch.stack(shares)
    return torch.where(stacked.sum(dim=0) >= 0.5, stacked.argmax(dim=0) + 1, 0)
