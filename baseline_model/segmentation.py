"""The networks of tasks 2 and 4: the pretrained trunk, trained on together with a head on the labelled cases."""

import copy
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
from baseline_model.network import MaskNetwork, Trunk, with_other_side
from baseline_model.pretrain import Drawn, StepOrder, recoloured
from baseline_model.volumes import HEAD, Grid, Scan, onto_grid
from baseline_model.windows import Shape, drawn_place, part, window_of

RESIZED = 0.1
LABEL_WEIGHT = 5.0  # thin and small structures would else be given up for the background


@dataclass(frozen=True)
class MaskTask:
    """A task whose answer is a mask: the sequences it sees, on which grid, and how many labels there are.

    The sides of the grid are multiples of 8 and 24 or more.
    """

    number: int
    keys: tuple[str, ...]
    grid: Grid
    labels: int

    def network(self, trunk: Trunk) -> MaskNetwork:
        """A network for it that starts with a copy of `trunk`."""
        return MaskNetwork(copy.deepcopy(trunk), len(self.keys), self.labels + 1)


MENINGIOMA = MaskTask(2, ("flair", "dwi"), HEAD, 1)
NERVE = MaskTask(4, ("t2w",), SLAB, 2)


def mask_network(task: MaskTask, data: Path, trunk: Trunk, config: TrainConfig, state: Path) -> MaskNetwork:
    """The network of `task` from the labelled cases in `data`, from where `state` was interrupted.

    Raises:
        TrainingError: there are no cases, too many are unusable, or the state is of another training.
    """
    return trained_network(task, labelled_volumes(task, data, config), trunk, config, state)


def labelled_volumes(task: MaskTask, data: Path, config: TrainConfig) -> list[Batch]:
    """Volumes [sequences, x, y, z] and labels [x, y, z] of every usable case.

    Raises:
        TrainingError: there are no cases, or too many are unusable.
    """
    cases, pairs = examples(data, task.number), []
    out = LeftOutScans(len(cases), config.faulty)
    for case in cases:
        try:
            pairs.append(_prepared(case, task))
        except UnusableSession as fault:
            out.add(fault)
    if not pairs:
        raise TrainingError(f"none of the cases of task {task.number} can be used")
    return pairs


def trained_network(
    task: MaskTask, pairs: Sequence[Batch], trunk: Trunk, config: TrainConfig, state: Path
) -> MaskNetwork:
    """A network that started with `trunk`, trained on `pairs` of `labelled_volumes`.

    All its weights change but those of a trunk that asks for no gradient.
    """
    chosen = config.segment
    windows = LabelledWindows(pairs, window_of(task.grid.shape))

    def batches(first: int) -> Iterable[Batch]:
        order = StepOrder(len(pairs), chosen.batch, range(first, chosen.steps), config.seed)
        pinned = config.torch_device().type == "cuda"
        return DataLoader(windows, batch_sampler=order, num_workers=config.workers, pin_memory=pinned)

    torch.manual_seed(config.seed)
    network = task.network(trunk)
    course = Course(
        f"task {task.number}", chosen.steps, chosen.rate, chosen.decay, chosen.keep_every, config.torch_device(),
        config.half(), _about(pairs, trunk, config),
    )  # fmt: skip
    follow(course, network, batches, _loss, state)
    return network


def _about(pairs: Sequence[Batch], trunk: Trunk, config: TrainConfig) -> str:
    """What a state has to match: the settings, the cases and the trunk that it started with."""
    digest = hashlib.sha256(repr((config.seed, config.half(), astuple(config.segment))).encode())
    for tensors in (*pairs, trunk.state_dict().values()):
        for tensor in tensors:
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


class LabelledWindows(Dataset[Batch]):
    """Windows of scans with the labels in them, mostly ones that hold a label, as another scanner might show them."""

    def __init__(self, pairs: Sequence[Batch], window: Shape) -> None:
        self._pairs, self._window = pairs, window

    def __getitem__(self, drawn: Drawn) -> Batch:
        """A window of the pair with this number, as the seed draws its place, side, size, contrast and noise."""
        volumes, labels = self._pairs[drawn[0]]
        source = torch.Generator().manual_seed(drawn[1])
        if float(torch.rand((), generator=source)) < 0.5:
            volumes, labels = volumes.flip(1), labels.flip(0)
        volumes, labels = resized(volumes.float(), labels, source)
        seen = with_other_side(recoloured(volumes, source))
        place = drawn_place(labels, self._window, source)
        return part(seen, place, self._window), part(labels, place, self._window).long()


def resized(volumes: Tensor, labels: Tensor, source: torch.Generator) -> Batch:
    """`volumes` [sequences, x, y, z] and `labels` [x, y, z] larger or smaller by up to a RESIZED part."""
    scale = 1 + RESIZED * (2 * float(torch.rand((), generator=source)) - 1)
    shape = [round(side * scale) for side in labels.shape]
    larger = functional.interpolate(volumes[None], shape, mode="trilinear")[0]
    nearest = functional.interpolate(labels[None, None].float(), shape, mode="nearest-exact")[0, 0]
    return larger, nearest.to(labels.dtype)


def _loss(network: nn.Module, batch: Batch) -> Tensor:
    seen, labels = batch
    return segmentation_loss(network(seen).float(), labels)


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


def _prepared(case: Example, task: MaskTask) -> Batch:
    volumes, centre = segmentation_volumes(case.scans(task.keys), task.keys, task.grid)
    return torch.stack(volumes).half(), grid_labels(read_mask(case.label), task, centre).to(torch.int8)


def grid_labels(scan: Scan, task: MaskTask, centre: NDArray[np.float64]) -> Tensor:
    """The label that fills most of each voxel of the grid, int64; label by label, as labels cannot be averaged."""
    masks = ((scan.data == label).astype(np.float32) for label in range(1, task.labels + 1))
    stacked = torch.stack([onto_grid(Scan(mask, scan.affine), task.grid, centre) for mask in masks])
    return torch.where(stacked.sum(dim=0) >= 0.5, stacked.argmax(dim=0) + 1, 0)
