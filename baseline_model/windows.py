"""Windows over volumes: the parts that a segmentation head is trained on, and how their answers are joined again."""

from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor

OVERLAP = 0.25  # of neighbouring windows, along each axis

Shape = tuple[int, int, int]
Place = tuple[int, int, int]


def window_of(grid: Shape) -> Shape:
    """The part of a grid that a head looks at once, in voxels of the features: half of it along each axis."""
    return grid[0] // 4, grid[1] // 4, grid[2] // 4


def places(shape: Shape, window: Shape) -> Iterator[Place]:
    """The first voxels of windows that cover `shape` and overlap by OVERLAP or more; one where that holds it all."""
    starts = []
    for length, side in zip(shape, window, strict=True):
        spare = max(0, length - side)
        count = -(-spare // max(1, int(side * (1 - OVERLAP))))
        starts.append([round(spare * number / count) for number in range(count)] + [spare])
    yield from product(*starts)


def part(volume: Tensor, place: Place, window: Shape) -> Tensor:
    """The window at `place` of the last three axes of `volume`."""
    for axis, (start, side) in enumerate(zip(place, window, strict=True), volume.ndim - 3):
        volume = volume.narrow(axis, start, min(side, volume.shape[axis]))
    return volume


def slid(features: Tensor, window: Shape, head: Callable[[Tensor], Tensor]) -> Tensor:
    """The chances [classes, 2x, 2y, 2z] that `head` gives in windows over `features` [channels, x, y, z].

    `head` makes logits [1, classes, 2·side, …] of [1, channels, side, …]. Where windows overlap, the chances are
    averaged with weights that fall towards a window's border, on the CPU wherever the features are.
    """
    shape = (features.shape[1], features.shape[2], features.shape[3])
    total: Tensor | None = None
    weights = torch.zeros([2 * n for n in shape])
    for place in places(shape, window):
        chances = head(part(features, place, window)[None]).softmax(dim=1)[0].cpu()
        weight = _weight(chances.shape[1:])
        total = torch.zeros(len(chances), *weights.shape) if total is None else total
        doubled = (2 * place[0], 2 * place[1], 2 * place[2])
        both = (2 * window[0], 2 * window[1], 2 * window[2])
        part(total, doubled, both).add_(chances * weight)
        part(weights, doubled, both).add_(weight)
    if total is None:
        raise ValueError("a volume without voxels")
    return total / weights


def _weight(shape: torch.Size) -> Tensor:
    """A pyramid: 1 in the middle, little at the border, never 0."""
    weight = torch.ones(())
    for side in shape:
        away = (torch.arange(side) - (side - 1) / 2).abs() / (side / 2)
        weight = weight[..., None] * (1 - away).clamp(min=0.05)
    return weight


def drawn_place(labels: Tensor, window: Shape, source: torch.Generator) -> Place:
    """Where a training window starts, in feature voxels: two of three times around a labelled voxel, else anywhere.

    `labels` [2x, 2y, 2z] has two voxels a side for each of the features.
    """
    shape = [n // 2 for n in labels.shape]
    middle = [int(torch.randint(n, (), generator=source)) for n in shape]
    if float(torch.rand((), generator=source)) < 2 / 3:
        marked = labels.nonzero()
        if len(marked):
            chosen = marked[int(torch.randint(len(marked), (), generator=source))]
            middle = [int(one) // 2 for one in chosen]
    starts = [
        min(max(0, centre - side // 2), max(0, n - side))
        for centre, side, n in zip(middle, window, shape, strict=True)
    ]
    return starts[0], starts[1], starts[2]
