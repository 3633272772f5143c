"""Which elements of a surface meet another one by a step: two ways to find the same, by what is shorter.

`Inward` keeps the list of elements that have met nothing and looks from each. `Outward` looks from the other
surface and ticks off what it meets, which costs nothing for the rest: a prediction of noise has more elements
than an image has voxels of anatomy.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics._lattice import Shell
from evaluator.metrics._surfaces import Indices, Surface
from evaluator.metrics.compiled import Kernels, kernels
from evaluator.metrics.memory import empty

Histogram = NDArray[np.int64]
"""Elements by code, shape (256,)."""


class Steps(Protocol):
    """Elements of a surface that have not met the other one; shells must come nearest first."""

    met: Histogram
    """The elements that lie on the other surface."""

    def meet(self, shell: Shell) -> Histogram:
        """Take out the elements from which a step of this shell leads to the other surface."""

    def left(self) -> Indices:
        """The elements that are left, in order."""


def steps_between(own: Surface, other: Surface) -> Steps:
    """The way that takes less work."""
    return Outward(own, other) if own.is_dense and not other.is_dense else Inward(own, other)


class Inward:
    """Steps from the elements that are left."""

    def __init__(self, own: Surface, other: Surface) -> None:
        self._own, self._other = own, other
        self._fast = kernels()
        if self._fast and not own.is_dense:
            self._left = own.elements
            self.met = self._sorted_out([0], self._fast)
            return
        if own.is_dense:
            self._left = np.flatnonzero((own.codes != 0) & (other.codes == 0))
        else:
            self._left = own.elements[other.codes[own.elements] == 0]
        self.met = own.histogram - by_code(own.codes[self._left])

    def meet(self, shell: Shell) -> Histogram:
        """See `Steps`."""
        if self._fast:
            return self._sorted_out(self._own.grid.offsets(shell.steps), self._fast)
        theirs, left = self._other.codes, self._left
        met = np.zeros(len(left), bool)
        for step in self._own.grid.offsets(shell.steps):
            met |= theirs[left + step] != 0
        self._left = left[~met]
        return by_code(self._own.codes[left[met]])

    def left(self) -> Indices:
        """See `Steps`."""
        return self._left

    def _sorted_out(self, offsets: list[int], fast: Kernels) -> Histogram:
        met, kept = np.zeros(256, np.int64), empty(len(self._left), np.int64)
        steps = np.array(offsets, np.int64)
        count = fast.meet(self._own.codes, self._other.codes, self._left, steps, met, kept)
        self._left = kept[:count]
        return met


class Outward:
    """Steps from the other surface's elements; an element that was met is ticked off in a map of bytes."""

    def __init__(self, own: Surface, other: Surface) -> None:
        self._own, self._other = own, other
        self._open = (own.codes != 0).view(np.uint8)
        self._fast = kernels()
        self.met = self._ticked([0])

    def meet(self, shell: Shell) -> Histogram:
        """See `Steps`."""
        return self._ticked(self._own.grid.offsets(shell.steps))

    def left(self) -> Indices:
        """See `Steps`."""
        return np.flatnonzero(self._open)

    def _ticked(self, offsets: list[int]) -> Histogram:
        total = np.zeros(256, np.int64)
        if self._fast:
            steps = np.array(offsets, np.int64)
            self._fast.tick(self._own.codes, self._open, self._other.elements, steps, total)
            return total
        for step in offsets:
            total += self._tick(self._other.elements + step)
        return total

    def _tick(self, places: Indices) -> Histogram:
        met = places[self._open[places] != 0]
        self._open[met] = 0
        return by_code(self._own.codes[met])


def by_code(codes: NDArray[np.uint8]) -> Histogram:
    """How often each code occurs."""
    return np.bincount(codes, minlength=256)
