"""Two masks of one label, or two label maps, with everything that several metrics need of them made once."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics._lattice import Lattice, shells_of
from evaluator.metrics._surface_distances import OneWay
from evaluator.metrics._surfaces import CodeLayout, Surface, surface_of
from evaluator.metrics.compiled import kernels
from evaluator.metrics.masks import Box, box_of, cut, joined
from evaluator.metrics.memory import copied, empty

_SECONDS_PER_VOXEL = 1e-9
_LEAST_STEP = 1e-6
"""What numpy takes for an image with one structure in it, all metrics but far distances, about."""


class MaskPair:
    """The masks `a` (prediction) and `b` (reference) inside a box that holds every set voxel of both.

    Axes may be those of the image in reverse (`flipped`); `spacing_mm` is in the image's order. `lesions` keeps
    what is known of them by its parameters.
    """

    def __init__(
        self, a: NDArray[np.bool_], b: NDArray[np.bool_], spacing_mm: Sequence[float], flipped: bool = False
    ) -> None:
        self.a, self.b, self.flipped = a, b, flipped
        self.spacing_mm = spacing_mm
        self.lesions: dict[tuple[float, ...], Any] = {}
        self.size_a, self.size_b = int(np.count_nonzero(a)), int(np.count_nonzero(b))

    @cached_property
    def overlap(self) -> int:
        """Voxels that are set in both."""
        if not (self.size_a and self.size_b):
            return 0
        both = empty(self.a.size, np.bool_).reshape(self.a.shape)
        return int(np.count_nonzero(np.logical_and(self.a, self.b, out=both)))

    @property
    def voxel_ml(self) -> float:
        """The volume of one voxel in mL."""
        return float(np.prod(self.spacing_mm)) / 1000

    @cached_property
    def surfaces(self) -> tuple[Surface, Surface]:
        """The surfaces of both masks, on one grid."""
        grid = CodeLayout.around(_three(self.a.shape), shells_of(self._lattice).reach)
        return surface_of(self.a, grid), surface_of(self.b, grid)

    @cached_property
    def there(self) -> OneWay:
        """From the surface of `a` to that of `b`; neither mask may be empty."""
        return OneWay(*self.surfaces, self._lattice)

    @cached_property
    def back(self) -> OneWay:
        """From the surface of `b` to that of `a`; neither mask may be empty."""
        return OneWay(*self.surfaces[::-1], self._lattice)

    @cached_property
    def _lattice(self) -> Lattice:
        spacing = spacing_of(self.spacing_mm)
        return Lattice(spacing[::-1] if self.flipped else spacing, self.flipped)


class LabelPair:
    """The label maps of one case; one box serves all labels."""

    def __init__(
        self, prediction: NDArray[Any], reference: NDArray[Any], spacing_mm: Sequence[float]
    ) -> None:
        same_shape(prediction, reference)
        kernels(prediction.size * _SECONDS_PER_VOXEL)
        box = joined(box_of(prediction), box_of(reference))
        self._flipped = prediction.flags.f_contiguous and not prediction.flags.c_contiguous
        self._blocks = [self._block(labels, box) for labels in (prediction, reference)]
        self._whole = (prediction, reference)
        self._spacing_mm = spacing_mm
        self._masks: dict[int, MaskPair] = {}

    def _block(self, labels: NDArray[Any], box: Box | None) -> NDArray[Any]:
        block = cut(labels, box if box is not None else ((0, 0),) * labels.ndim)
        return block.T if self._flipped else block

    def label(self, label: int) -> MaskPair:
        """The masks of one label."""
        if label not in self._masks:
            if label:
                a, b = (_mask(block, label) for block in self._blocks)
                self._masks[label] = MaskPair(a, b, self._spacing_mm, self._flipped)
            else:  # what lies outside the box is background too
                a, b = (np.asarray(whole == 0) for whole in self._whole)
                self._masks[label] = MaskPair(a, b, self._spacing_mm)
        return self._masks[label]


def mask_pair(
    a: NDArray[np.bool_], b: NDArray[np.bool_], spacing_mm: Sequence[float] = (1, 1, 1)
) -> MaskPair:
    """Two boolean masks of one shape.

    Raises:
        ValueError: the shapes differ.
    """
    return LabelPair(a, b, spacing_mm).label(1)


def same_shape(a: NDArray[Any], b: NDArray[Any]) -> None:
    """Raise ValueError unless both have one shape."""
    if a.shape != b.shape:
        raise ValueError(f"masks differ in shape: {a.shape} and {b.shape}")


def spacing_of(spacing_mm: Sequence[float]) -> tuple[float, float, float]:
    """`spacing_mm` as three numbers that a scanner can have, with room to spare: squares of them stay finite.

    Raises:
        ValueError: it is not.
    """
    spacing = tuple(float(step) for step in spacing_mm)
    if len(spacing) != 3 or not all(_LEAST_STEP <= step <= 1 / _LEAST_STEP for step in spacing):
        raise ValueError(f"spacing_mm must be three numbers from {_LEAST_STEP:g} to {1 / _LEAST_STEP:g}")
    return spacing


def _mask(block: NDArray[Any], label: int) -> NDArray[np.bool_]:
    if block.dtype == np.bool_:
        if label != 1:
            return np.zeros(block.shape, bool)
        # a mask in one piece is counted several times faster than one cut from an image
        return np.asarray(block) if block.flags.c_contiguous else copied(block)
    mask: NDArray[np.bool_] = empty(block.size, np.bool_).reshape(block.shape)
    np.equal(block, label, out=mask)
    return mask


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"surfaces need masks of three dimensions, not {len(shape)}")
    first, second, third = shape
    return first, second, third
