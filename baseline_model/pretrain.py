"""Pretraining without labels: cubes of a scan are hidden and the network learns to fill them in."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Sampler

from baseline_model.config import TrainConfig
from baseline_model.course import Batch, Course, follow
from baseline_model.network import Trunk
from baseline_model.volumes import HEAD

AIR = -3.9  # below it a normalised voxel lies outside the head
SEEN = 0.1  # weight of the voxels that are not hidden, so that a whole scan is nothing new to the network

Drawn = tuple[int, int]


def pretrain(views: Sequence[Path], config: TrainConfig, state: Path) -> Trunk:
    """A trunk trained on `views` of any sequence, from where `state` says that it was interrupted.

    Deterministic for a seed and a device; the number of workers changes nothing.

    Raises:
        TrainingError: the state is damaged or of another training.
    """
    chosen = config.pretrain
    data = HiddenCubes(views, cube=chosen.cube, hidden=chosen.hidden)

    def batches(first: int) -> Iterable[Batch]:
        order = StepOrder(len(views), chosen.batch, range(first, chosen.steps), config.seed)
        pinned = config.torch_device().type == "cuda"
        return DataLoader(data, batch_sampler=order, num_workers=config.workers, pin_memory=pinned)

    torch.manual_seed(config.seed)
    trunk = Trunk()
    settings = (config.seed, config.half(), astuple(chosen), [view.name for view in views])
    course = Course(
        "pretraining", chosen.steps, chosen.rate, chosen.decay, chosen.keep_every, config.torch_device(),
        config.half(), hashlib.sha256(repr(settings).encode()).hexdigest(),
    )  # fmt: skip
    follow(course, trunk, batches, _loss, state)
    return trunk


class StepOrder(Sampler[list[Drawn]]):
    """Which scans each of `steps` sees, as pairs of a scan's number and the seed of what is drawn for it.

    Every scan once, in an order of its own, before any comes again. What a step sees follows from its number.
    """

    def __init__(self, scans: int, batch: int, steps: range, seed: int) -> None:
        self._scans, self._batch, self._steps, self._seed = scans, batch, steps, seed

    def __iter__(self) -> Iterator[list[Drawn]]:
        """The steps' scans."""
        epoch, order = -1, torch.empty(0, dtype=torch.int64)
        for step in self._steps:
            drawn: list[Drawn] = []
            for place in range(step * self._batch, (step + 1) * self._batch):
                if place // self._scans != epoch:
                    epoch = place // self._scans
                    source = torch.Generator().manual_seed(_seed(self._seed, "order", epoch))
                    order = torch.randperm(self._scans, generator=source)
                drawn.append((int(order[place % self._scans]), _seed(self._seed, "scan", place)))
            yield drawn

    def __len__(self) -> int:
        """How many steps."""
        return len(self._steps)


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7])


class HiddenCubes(Dataset[Batch]):
    """Views [1, x, y, z] on the head grid's shape with what is hidden of each, of the same shape."""

    def __init__(self, views: Sequence[Path], *, cube: int, hidden: tuple[float, float]) -> None:
        self._views, self._cube, self._hidden = views, cube, hidden

    def __getitem__(self, drawn: Drawn) -> Batch:
        """The scan of this number as the seed beside it changes it, and what is hidden."""
        number, seed = drawn
        source = torch.Generator().manual_seed(seed)
        volume = torch.from_numpy(np.load(self._views[number])).float()
        changed = augment(cut(volume, source), source)
        low, high = self._hidden
        share = low + (high - low) * float(torch.rand((), generator=source))
        cubes = torch.rand([n // self._cube for n in HEAD.shape], generator=source) < share
        mask = functional.interpolate(cubes.float()[None, None], size=HEAD.shape, mode="nearest")[0]
        return changed[None], mask


def cut(volume: Tensor, source: torch.Generator) -> Tensor:
    """A part of `volume` at a drawn place with the head grid's shape; air where it ends before."""
    for axis, wanted in enumerate(HEAD.shape):
        spare = volume.shape[axis] - wanted
        if spare > 0:
            volume = volume.narrow(axis, int(torch.randint(spare + 1, (), generator=source)), wanted)
    pads = [side for n, wanted in zip(volume.shape, HEAD.shape, strict=True) for side in (wanted - n, 0)]
    return functional.pad(volume, pads[::-1], value=-4.0)


def augment(volume: Tensor, source: torch.Generator) -> Tensor:
    """The scan as another scanner might have made it: mirrored, shifted, other contrast, more noise."""
    draw = torch.rand(4, generator=source)
    if draw[0] < 0.5:
        volume = volume.flip(0)
    shift = [int(part * 5) - 2 for part in draw[1:4]]
    return recoloured(torch.roll(volume, shift, dims=(0, 1, 2)), source)


def recoloured(volume: Tensor, source: torch.Generator) -> Tensor:
    """Normalised voxels of any shape with other contrast and more noise; air stays air."""
    draw = torch.rand(2, generator=source)
    contrast = 0.85 + 0.3 * float(draw[0])
    changed = torch.where(volume > AIR, torch.sign(volume) * volume.abs() ** contrast, volume)
    noise = torch.randn(volume.shape, generator=source) * 0.3 * float(draw[1])
    return (changed + noise * (volume > AIR)).clamp(-4, 8)


def _loss(trunk: nn.Module, batch: Batch) -> Tensor:
    """Mean absolute error inside the head, on what was hidden and, with SEEN, on the rest."""
    scans, hidden = batch
    weight = (hidden + SEEN * (1 - hidden)) * (scans > AIR)
    missed: Tensor = ((trunk(scans, hidden).float() - scans).abs() * weight).sum() / weight.sum().clamp(min=1)
    return missed
