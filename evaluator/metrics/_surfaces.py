"""The surface of a mask, as the codes of its 2×2×2 neighbourhoods.

A neighbourhood that is neither empty nor full holds one surface element. Codes lie in one flat array of bytes,
with room around every row, plane and end, so that a step to any nearby neighbourhood is one number to add to
an index and never lands in another row's elements.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.compiled import Kernels, kernels
from evaluator.metrics.memory import empty, zeros

_WORD = 8
_SLAB = 1 << 17
"""Bytes that are worked on at a time, together with their intermediate steps in the processor's own memory."""
_FULL = 255
_DENSE = 8
"""Where more than one neighbourhood in so many is an element, a list of elements is larger than the array."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class CodeLayout:
    """How neighbourhoods lie in the flat array: number (i, j, k) at `start + i·plane + j·row + k`.

    shape: neighbourhoods along each axis, one more than voxels.
    """

    shape: tuple[int, int, int]
    plane: int
    row: int
    start: int
    size: int

    @classmethod
    def around(cls, voxels: tuple[int, int, int], reach: tuple[int, int, int]) -> "CodeLayout":
        """A grid for masks of this shape, in which steps of `reach` along each axis stay inside."""
        first, second, third = (length + 1 for length in voxels)
        row = _whole_words(third + max(reach[2], 1))
        plane = row * (second + max(reach[1], 1))
        margin = _whole_words(reach[0] * plane + reach[1] * row + reach[2])
        return cls((first, second, third), plane, row, margin, 2 * margin + (first + 2) * plane + 2 * row)

    def offsets(self, steps: NDArray[np.int64]) -> list[int]:
        """What to add to an index for each row of `steps`, shape (n, 3)."""
        offsets: list[int] = (steps @ np.array([self.plane, self.row, 1])).tolist()
        return offsets

    def positions(self, index: Indices) -> NDArray[np.int64]:
        """The numbers (i, j, k) of elements, shape (3, n)."""
        first, rest = np.divmod(index - self.start, self.plane)
        return np.stack([first, *np.divmod(rest, self.row)])

    def block(self, flat: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The neighbourhoods as a three-dimensional view of the flat array."""
        return self._volume(flat)[tuple(slice(length) for length in self.shape)]

    def cells(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The voxels in a flat array: neighbourhood (i, j, k) has its first corner at its own index."""
        flat = zeros(self.size)
        inside = tuple(slice(1, length) for length in self.shape)
        self._volume(flat)[inside] = mask
        return flat

    def _volume(self, flat: NDArray[np.uint8]) -> NDArray[np.uint8]:
        planes = self.shape[0] + 1
        part = flat[self.start : self.start + planes * self.plane]
        return part.reshape(planes, self.plane // self.row, self.row)


def _whole_words(length: int) -> int:
    return -(-length // _WORD) * _WORD


@dataclass(frozen=True)
class Surface:
    """The codes of one mask, 0 where there is no element, and how often each of the 256 codes occurs."""

    grid: CodeLayout
    codes: NDArray[np.uint8]
    histogram: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(self.histogram.sum())

    @property
    def is_dense(self) -> bool:
        """Whether lists of elements cost more than passes over the array."""
        return self.size * _DENSE > len(self.codes)

    @cached_property
    def elements(self) -> Indices:
        """The index of every element, in order."""
        return np.flatnonzero(self.codes != 0)


def surface_of(mask: NDArray[np.bool_], grid: CodeLayout) -> Surface:
    """The surface of a mask of the grid's shape, closed where the mask touches the border."""
    fast = kernels()
    return _compiled_surface(mask, grid, fast) if fast else _numpy_surface(mask, grid)


def _compiled_surface(mask: NDArray[np.bool_], grid: CodeLayout, fast: Kernels) -> Surface:
    codes = zeros(grid.size)
    histogram = np.zeros(256, np.int64)
    worth = grid.size // _DENSE
    room = empty(worth + _WORD, np.int64)
    voxels = np.ascontiguousarray(mask).view(np.uint8)
    fast.encode(voxels, codes, np.array([grid.start, grid.plane, grid.row]))
    count = fast.gather(codes, codes.view(np.uint64), histogram, room)
    surface = Surface(grid, codes, histogram)
    if count <= worth:
        surface.__dict__["elements"] = room[:count]
    return surface


def _numpy_surface(mask: NDArray[np.bool_], grid: CodeLayout) -> Surface:
    cells = grid.cells(mask)
    codes = zeros(grid.size)
    histogram = np.zeros(256, np.int64)
    parts = []
    planes = max(_SLAB // grid.plane, 1)
    for first in range(0, grid.shape[0], planes):
        begin = grid.start + first * grid.plane
        end = min(begin + planes * grid.plane, grid.start + grid.shape[0] * grid.plane)
        if np.count_nonzero(cells[begin : end + grid.plane]):
            encoded = _encode(cells, codes, begin, end, grid)
            histogram += encoded[0]
            parts.append(encoded[1])
    surface = Surface(grid, codes, histogram)
    if not any(part is None for part in parts):
        listed = [part for part in parts if part is not None]
        surface.__dict__["elements"] = np.concatenate(listed) if listed else np.zeros(0, np.int64)
    return surface


def _encode(
    cells: NDArray[np.uint8], codes: NDArray[np.uint8], begin: int, end: int, grid: CodeLayout
) -> tuple[NDArray[np.int64], Indices | None]:
    """Write the codes of one slab; their histogram, and the elements where they are few.

    Eight corners take three steps: each joins what the last one made with the same one voxel further along an
    axis. Values stay below what is shifted in, so eight bytes are shifted as one word.
    """
    length, row = end - begin, grid.row
    behind = cells[begin + grid.plane : end + grid.plane + row + _WORD].view(np.uint64)
    lines = cells[begin : end + row + _WORD].view(np.uint64) | behind << np.uint64(1)
    further = lines[row // _WORD :] << np.uint64(2)
    faces = lines[: len(further)] | further
    corners = (faces << np.uint64(4)).view(np.uint8)
    slab = codes[begin:end]
    np.bitwise_or(faces.view(np.uint8)[:length], corners[1 : length + 1], out=slab)
    slab &= np.negative((slab != _FULL).view(np.uint8))  # all bits, or none where the neighbourhood is full
    count = np.count_nonzero(slab)
    if count * _DENSE > length:
        histogram, elements = np.bincount(slab, minlength=256), None
    else:
        elements = np.flatnonzero(slab != 0)
        histogram = np.bincount(slab[elements], minlength=256)
        elements += begin
    histogram[0] = 0
    return histogram, elements
