"""Distances on a lattice of voxels: the steps to other lattice points, nearest first."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_MOST = 400
"""Further steps cost more, element by element, than a search tree does."""


@dataclass(frozen=True)
class Lattice:
    """The spacing in mm along the axes of the arrays at hand.

    `flipped` says that these axes are the image's in reverse. It changes nothing but the order in which
    squares are added: tolerances are often distances of lattice points, and a sum in another order may come
    out on the other side of them.
    """

    spacing: tuple[float, float, float]
    flipped: bool = False

    def lengths(self, steps: NDArray[np.integer]) -> NDArray[np.float64]:
        """The length in mm of each column of `steps`, shape (3, n)."""
        order = (2, 1, 0) if self.flipped else (0, 1, 2)
        total = np.zeros(steps.shape[1])
        for axis in order:
            along = steps[axis] * self.spacing[axis]
            total += along * along
        return np.sqrt(total)


@dataclass(frozen=True)
class Shell:
    """All steps of one length: `steps` has shape (n, 3)."""

    length: float
    steps: NDArray[np.int64]


@dataclass(frozen=True)
class Shells:
    """Every step up to some length, nearest first, but for the one of length 0.

    reach: the largest step along each axis. radius: no step of this length or shorter is missing.
    """

    shells: tuple[Shell, ...]
    reach: tuple[int, int, int]
    radius: float


@lru_cache(maxsize=64)
def shells_of(lattice: Lattice) -> Shells:
    """The nearest few hundred steps, whole shells only."""
    spacing = np.array(lattice.spacing)
    radius = (3 * _MOST * spacing.prod() / (4 * np.pi)) ** (1 / 3)
    ends = np.minimum(np.maximum(radius / spacing, 1), _MOST).astype(int)
    steps = np.indices(tuple(2 * ends + 1)).reshape(3, -1) - ends[:, None]
    lengths = lattice.lengths(steps)
    # Beyond the nearest step that was not generated, shells would have gaps.
    limit = float(((ends + 1) * spacing).min())
    order = np.argsort(lengths, kind="stable")
    limit = min(limit, float(lengths[order[min(_MOST, len(order) - 1)]]))
    order = order[(lengths[order] < limit) & (lengths[order] > 0)]
    steps, lengths = steps[:, order].T, lengths[order]
    starts = np.flatnonzero(np.diff(lengths, prepend=-1.0))
    shells = tuple(
        Shell(float(lengths[start]), part)
        for start, part in zip(starts, np.split(steps, starts[1:]), strict=True)
    )
    first, second, third = (int(step) for step in np.abs(steps).max(axis=0))
    return Shells(shells, (first, second, third), shells[-1].length)
