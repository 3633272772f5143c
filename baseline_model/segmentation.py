"""The segmentation heads of tasks 2 and 4, trained on features of the frozen trunk."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from baseline_model.config import TrainConfig
from baseline_model.course import Batch, Course, follow
from baseline_model.data import Example, LeftOutScans, UnusableSession, examples, read_mask
from baseline_model.faults import TrainingError
from baseline_model.features import SLAB, segmentation_volumes
from baseline_model.network import SegmentationHead, Trunk, stack_features
from baseline_model.pretrain import Drawn, StepOrder
from baseline_model.volumes import HEAD, Grid, Scan, onto_grid
from baseline_model.windows import Shape, drawn_place, part, window_of

LABEL_WEIGHT = 5.0  # thin and small structures would else be given up for the background


@dataclass(frozen=True)
class MaskTask:
    """A task whose answer is a mask: the sequences it sees, on which grid, and how many labels there are."""

    number: int
    keys: tuple[str, ...]
    grid: Grid
    labels: int

    def untrained(self) -> SegmentationHead:
        """A head for it."""
        return SegmentationHead(len(self.keys), self.labels + 1)


MENINGIOMA = MaskTask(2, ("flair", "dwi"), HEAD, 1)
NERVE = MaskTask(4, ("t2w",), SLAB, 2)


def segmentation_head(
    task: MaskTask, data: Path, trunk: Trunk, config: TrainConfig, state: Path
) -> SegmentationHead:
    """The head of `task` from the labelled cases in `data`, each also mirrored, from where `state` was interrupted.

    Raises:
        TrainingError: there are no cases, too many are unusable, or the state is of another training.
    """
    pairs = labelled_features(task, data, trunk, config)
    return trained_head(task, pairs, config, state)


def labelled_features(task: MaskTask, data: Path, trunk: Trunk, config: TrainConfig) -> list[Batch]:
    """Features and labels of every usable case and of its mirror image.

    Raises:
        TrainingError: there are no cases, or too many are unusable.
    """
    cases, pairs = examples(data, task.number), []
    out = LeftOutScans(len(cases), config.faulty)
    for case in cases:
        try:
            pairs += _prepared(case, task, trunk.to(config.torch_device()))
        except UnusableSession as fault:
            out.add(fault)
    trunk.cpu()
    if not pairs:
        raise TrainingError(f"none of the cases of task {task.number} can be used")
    return pairs


def trained_head(
    task: MaskTask, pairs: Sequence[Batch], config: TrainConfig, state: Path
) -> SegmentationHead:
    """A head trained on `pairs` of features [channels, …] and labels [x, y, z]."""
    chosen = config.segment
    steps = -(-chosen.epochs * len(pairs) // chosen.batch)

    def batches(first: int) -> Iterable[Batch]:
        order = StepOrder(len(pairs), chosen.batch, range(first, steps), config.seed)
        pinned = config.torch_device().type == "cuda"
        return DataLoader(
            LabelledWindows(pairs, window_of(task.grid.shape)), batch_sampler=order, pin_memory=pinned
        )

    torch.manual_seed(config.seed)
    head = task.untrained()
    course = Course(
        f"task {task.number}", steps, chosen.rate, chosen.decay, chosen.keep_every, config.torch_device(),
        config.half(), _about(pairs, config),
    )  # fmt: skip
    follow(course, head, batches, _loss, state)
    return head


def _about(pairs: Sequence[Batch], config: TrainConfig) -> str:
    """What a state has to match: the settings, and features that follow from the trunk and the cases."""
    digest = hashlib.sha256(repr((config.seed, config.half(), astuple(config.segment))).encode())
    for pair in pairs:
        for tensor in pair:
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


class LabelledWindows(Dataset[Batch]):
    """Windows of features with the labels in them; mostly ones that hold a label."""

    def __init__(self, pairs: Sequence[Batch], window: Shape) -> None:
        self._pairs, self._window = pairs, window

    def __getitem__(self, drawn: Drawn) -> Batch:
        """A window, at the place that the seed draws, of the pair with this number."""
        features, labels = self._pairs[drawn[0]]
        x, y, z = drawn_place(labels, self._window, torch.Generator().manual_seed(drawn[1]))
        doubled = (2 * self._window[0], 2 * self._window[1], 2 * self._window[2])
        seen = part(features, (x, y, z), self._window)
        return seen.float(), part(labels, (2 * x, 2 * y, 2 * z), doubled)


def _loss(head: nn.Module, batch: Batch) -> Tensor:
    features, labels = batch
    return segmentation_loss(head(features).float(), labels)


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
def _prepared(case: Example, task: MaskTask, trunk: Trunk) -> list[Batch]:
    """Features and labels of a case and of its mirror image."""
    volumes, centre = segmentation_volumes(case.scans(task.keys), task.keys, task.grid)
    labels = grid_labels(read_mask(case.label), task, centre)
    device = next(trunk.parameters()).device
    moved = [volume.to(device) for volume in volumes]
    mirrored = [volume.flip(0) for volume in moved]
    return [
        (stack_features(trunk, moved).half().cpu(), labels),
        (stack_features(trunk, mirrored).half().cpu(), labels.flip(0)),
    ]


def grid_labels(scan: Scan, task: MaskTask, centre: NDArray[np.float64]) -> Tensor:
    """The label that fills most of each voxel of the grid, int64; label by label, as labels cannot be averaged."""
    masks = ((scan.data == label).astype(np.float32) for label in range(1, task.labels + 1))
    stacked = torch.stack([onto_grid(Scan(mask, scan.affine), task.grid, centre) for mask in masks])
    return torch.where(stacked.sum(dim=0) >= 0.5, stacked.argmax(dim=0) + 1, 0)
