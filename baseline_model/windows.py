"""Windows over volumes: the parts that a mask network is trained on, and how its answers are joined again."""

import math
from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor

OVERLAP = 0.25  # of neighbouring windows, along each axis

Shape = tuple[int, int, int]
Place = tuple[int, int, int]


def window_of(grid: Shape) -> Shape:
    """The part of a grid that a network looks at once: the least of which two a side cover it, in steps of 8 voxels."""
    x, y, z = (8 * math.ceil(side / (2 - OVERLAP) / 8) for side in grid)
    return x, y, z


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


def slid(seen: Tensor, window: Shape, network: Callable[[Tensor], Tensor]) -> Tensor:
    """The chances [classes, x, y, z] that `network` gives in windows over `seen` [channels, x, y, z].

    `network` makes logits [1, classes, …] of [1, channels, …]. Where windows overlap, the chances are averaged with
    weights that fall towards a window's border, on the CPU wherever `seen` is.
    """
    shape = (seen.shape[1], seen.shape[2], seen.shape[3])
    total: Tensor | None = None
    weights = torch.zeros(shape)
    for place in places(shape, window):
        chances = network(part(seen, place, window)[None]).softmax(dim=1)[0].cpu()
        weight = _weight(chances.shape[1:])
        total = torch.zeros(len(chances), *shape) if total is None else total
        part(total, place, window).add_(chances * weight)
        part(weights, place, window).add_(weight)
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
    """Where a training window over `labels` [x, y, z] starts: two of three times around a labelled voxel."""
    shape = labels.shape
    middle = [int(torch.randint(n, (), generator=source)) for n in shape]
    if float(torch.rand((), generator=source)) < 2 / 3:
        marked = labels.nonzero()
        if len(marked):
            chosen = marked[int(torch.randint(len(marked), (), generator=source))]
            middle = [int(one) for one in chosen]
    starts = [
        min(max(0, centre - side // 2), max(0, n - side))
        for centre, side, n in zip(middle, window, shape, strict=True)
    ]
    return starts[0], starts[1], starts[2]
