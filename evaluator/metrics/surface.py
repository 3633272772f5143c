"""Agreement of two surfaces within a tolerance.

The surface of a mask lies between voxels: each 2×2×2 neighbourhood that is neither empty nor full holds one
surface element, placed at the neighbourhood's centre, whose area depends on which of its corners are set.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import mask
from evaluator.metrics._surface_area import element_areas

_FULL = 255


def surface_dice(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    spacing_mm: Sequence[float],
    tolerance_mm: float,
    both_empty: float = 0.0,
) -> float:
    """Share of the two surfaces' area that lies within `tolerance_mm` of the other surface, in [0, 1].

    Surface elements are weighted by area. Surfaces are closed where a mask touches the border of the image.
    One empty mask gives 0; two empty masks give `both_empty`.

    Args:
        pred: boolean mask of three dimensions.
        ref: boolean mask of the same shape.
        spacing_mm: distance of neighbouring voxels along each array axis.
        tolerance_mm: distance, inclusive, up to which surfaces agree.
        both_empty: the value of two empty masks.

    Raises:
        ValueError: masks that are not boolean, not three-dimensional or of different shapes, a spacing that
            is not three positive numbers, or a negative tolerance.
    """
    a, b = mask(pred, "pred"), mask(ref, "ref")
    spacing = _checked(a, b, spacing_mm, tolerance_mm)
    box = _bounding_box(a | b)
    if box is None:
        return both_empty
    if not a.any() or not b.any():
        return 0.0
    areas = element_areas(spacing)
    codes_a, codes_b = _codes(a[box]), _codes(b[box])
    near_a, total_a = _near_area(codes_a, codes_b, areas, spacing, tolerance_mm)
    near_b, total_b = _near_area(codes_b, codes_a, areas, spacing, tolerance_mm)
    return (near_a + near_b) / (total_a + total_b)


def _checked(
    a: NDArray[np.bool_], b: NDArray[np.bool_], spacing_mm: Sequence[float], tolerance_mm: float
) -> tuple[float, float, float]:
    if a.ndim != 3 or a.shape != b.shape:
        raise ValueError(f"masks must be three-dimensional and of one shape, not {a.shape} and {b.shape}")
    spacing = tuple(float(step) for step in spacing_mm)
    if len(spacing) != 3 or not all(0 < step < np.inf for step in spacing):
        raise ValueError("spacing_mm must be three positive numbers")
    if not tolerance_mm >= 0:
        raise ValueError("tolerance_mm must not be negative")
    return spacing


def _bounding_box(both: NDArray[np.bool_]) -> tuple[slice, slice, slice] | None:
    """The smallest block that holds every set voxel, or None."""
    plane: NDArray[np.bool_] = np.any(both, axis=2)
    along = (np.any(plane, axis=1), np.any(plane, axis=0), np.any(both, axis=(0, 1)))
    if not along[0].any():
        return None
    ends = [np.flatnonzero(line)[[0, -1]] for line in along]
    first, second, third = (slice(int(low), int(high) + 1) for low, high in ends)
    return first, second, third


def _codes(block: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """One bit per corner of every 2×2×2 neighbourhood that touches `block`; outside there is nothing."""
    padded = np.pad(block, 1).view(np.uint8)
    codes = np.zeros(tuple(length + 1 for length in block.shape), np.uint8)
    for corner in range(8):
        window = tuple(
            slice(corner >> axis & 1, (corner >> axis & 1) + length)
            for axis, length in enumerate(codes.shape)
        )
        codes |= padded[window] << np.uint8(corner)
    return codes


def _near_area(
    codes: NDArray[np.uint8],
    other: NDArray[np.uint8],
    areas: NDArray[np.float64],
    spacing: tuple[float, float, float],
    tolerance_mm: float,
) -> tuple[float, float]:
    """The area of one surface within the tolerance of the other, and all of it, in mm²."""
    from scipy.ndimage import distance_transform_edt  # half of a score's start-up, and few boards need it

    surface = (codes != 0) & (codes != _FULL)
    distance = distance_transform_edt((other == 0) | (other == _FULL), sampling=spacing)
    area = areas[codes[surface]]
    return float(area[distance[surface] <= tolerance_mm].sum()), float(area.sum())
