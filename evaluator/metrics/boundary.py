"""Overlap of two masks near their borders, which large structures cannot fill with what lies inside."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import mask
from evaluator.metrics.pairs import MaskPair, mask_pair, spacing_of


def boundary_iou(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    spacing_mm: Sequence[float],
    width_mm: float,
    both_empty: float = 1.0,
) -> float:
    """Intersection over union of the two masks' rims, from 0 to 1: B. Cheng et al. 2021.

    The border of a mask is its voxels with a face to the outside, the image's border included; its rim are its voxels
    at most `width_mm` from the nearest border voxel, from centre to centre. One empty mask gives 0, two give
    `both_empty`. https://doi.org/10.1109/CVPR46437.2021.01508

    Args:
        pred: boolean mask of three dimensions.
        ref: boolean mask of the same shape.
        spacing_mm: distance of neighbouring voxels along each array axis.
        width_mm: 0 for the border voxels alone.
        both_empty: the value of two empty masks.

    Raises:
        ValueError: masks that are not boolean, not three-dimensional or of different shapes, a spacing that is not
            three positive numbers, or a negative width.
    """
    a, b = mask(pred, "pred"), mask(ref, "ref")
    if a.ndim != 3:
        raise ValueError(f"masks must be three-dimensional, not {a.shape}")
    return boundary_iou_of(mask_pair(a, b, spacing_of(spacing_mm)), width_mm, both_empty)


def boundary_iou_of(pair: MaskPair, width_mm: float, both_empty: float) -> float:
    """`boundary_iou` of masks that share their work with other metrics."""
    if not width_mm >= 0:
        raise ValueError("width_mm must not be negative")
    if not (pair.size_a and pair.size_b):
        return 0.0 if pair.size_a or pair.size_b else both_empty
    spacing = pair.spacing_mm[::-1] if pair.flipped else pair.spacing_mm
    a, b = (_rim(own, spacing, width_mm) for own in (pair.a, pair.b))
    return float(np.count_nonzero(a & b) / np.count_nonzero(a | b))


def _rim(own: NDArray[np.bool_], spacing_mm: Sequence[float], width_mm: float) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_erosion, distance_transform_edt  # as in _surface_distances

    border = own & ~binary_erosion(own)
    if width_mm < min(spacing_mm):
        return np.asarray(border)
    near: NDArray[np.bool_] = own & (distance_transform_edt(~border, sampling=spacing_mm) <= width_mm)
    return near
