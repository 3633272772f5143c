"""Differences of volume between two masks."""

from collections.abc import Sequence
from math import inf

from numpy.typing import ArrayLike

from evaluator.metrics._arrays import mask
from evaluator.metrics.pairs import MaskPair, mask_pair, spacing_of


def volume_difference(pred: ArrayLike, ref: ArrayLike, *, spacing_mm: Sequence[float]) -> float:
    """Absolute difference of the volumes of two boolean masks of one shape, in mL. Empty masks have 0 mL.

    Raises:
        ValueError: masks that are not boolean or differ in shape, or a spacing that is not three positive
            numbers.
    """
    return volume_difference_of(_pair(pred, ref, spacing_mm))


def relative_volume_difference(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    spacing_mm: Sequence[float],
    both_empty: float = 0.0,
    reference_empty: float = inf,
) -> float:
    """Absolute difference of the volumes divided by the reference's; an empty prediction gives 1.

    Args:
        pred: boolean mask.
        ref: boolean mask of the same shape.
        spacing_mm: distance of neighbouring voxels along each array axis.
        both_empty: the value of two empty masks.
        reference_empty: the value where only the reference is empty.

    Raises:
        ValueError: as `volume_difference`.
    """
    return relative_volume_difference_of(_pair(pred, ref, spacing_mm), both_empty, reference_empty)


def volume_difference_of(pair: MaskPair) -> float:
    """`volume_difference` of masks that share their work with other metrics."""
    return abs(pair.size_a - pair.size_b) * pair.voxel_ml


def relative_volume_difference_of(pair: MaskPair, both_empty: float, reference_empty: float) -> float:
    """`relative_volume_difference` of masks that share their work with other metrics."""
    if not pair.size_b:
        return reference_empty if pair.size_a else both_empty
    return abs(pair.size_a - pair.size_b) / pair.size_b


def _pair(pred: ArrayLike, ref: ArrayLike, spacing_mm: Sequence[float]) -> MaskPair:
    return mask_pair(mask(pred, "pred"), mask(ref, "ref"), spacing_of(spacing_mm))
