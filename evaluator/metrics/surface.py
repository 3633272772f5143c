"""Agreement of two surfaces, and the distances between them.

The surface of a mask lies between voxels: each 2×2×2 neighbourhood that is neither empty nor full holds one
surface element, placed at the neighbourhood's centre, whose area depends on which of its corners are set. The
distance of an element is that to the nearest element of the other surface. Surfaces are closed where a mask
touches the border of the image. These are the definitions of DeepMind's `surface-distance`
(Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", 2021).

Distances between surfaces are those of lattice points, so every metric here jumps where a tolerance equals
one of them: see `docs/metrics-segmentation.md` on where the spacing has to come from.
"""

from collections.abc import Sequence
from math import inf

from numpy.typing import ArrayLike

from evaluator.metrics._arrays import mask
from evaluator.metrics._surface_distances import pooled
from evaluator.metrics.pairs import MaskPair, mask_pair, spacing_of


def surface_dice(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    spacing_mm: Sequence[float],
    tolerance_mm: float,
    both_empty: float = 0.0,
) -> float:
    """Share of the two surfaces' area that lies within `tolerance_mm` of the other surface, in [0, 1].

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
    return surface_dice_of(_pair(pred, ref, spacing_mm), tolerance_mm, both_empty)


def hausdorff(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    spacing_mm: Sequence[float],
    percentile: float,
    both_empty: float = inf,
    one_empty: float = inf,
) -> float:
    """Robust Hausdorff distance in mm: the larger of both surfaces' `percentile` of distances.

    A surface's percentile is the smallest distance that at least this share of its area does not exceed;
    100 gives the Hausdorff distance, 95 the one known as HD95. Where the share is reached exactly, rounding
    decides between two neighbouring distances, here as in the original.

    Args:
        pred: boolean mask of three dimensions.
        ref: boolean mask of the same shape.
        spacing_mm: distance of neighbouring voxels along each array axis.
        percentile: 0, or from 1 to 100; 0.95 is taken for a mistake.
        both_empty: the value of two empty masks, which have no distance.
        one_empty: the value where one mask is empty.

    Raises:
        ValueError: as `surface_dice`, or a percentile outside its range.
    """
    return hausdorff_of(_pair(pred, ref, spacing_mm), percentile, both_empty, one_empty)


def mean_surface_distance(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    spacing_mm: Sequence[float],
    both_empty: float = inf,
    one_empty: float = inf,
) -> float:
    """Mean distance in mm over the area of both surfaces together (average symmetric surface distance).

    Arguments and errors as for `hausdorff`.
    """
    return mean_of(_pair(pred, ref, spacing_mm), both_empty, one_empty)


def median_surface_distance(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    spacing_mm: Sequence[float],
    both_empty: float = inf,
    one_empty: float = inf,
) -> float:
    """The smallest distance in mm that at least half the area of both surfaces together does not exceed.

    Arguments and errors as for `hausdorff`.
    """
    return median_of(_pair(pred, ref, spacing_mm), both_empty, one_empty)


def surface_dice_of(pair: MaskPair, tolerance_mm: float, both_empty: float) -> float:
    """`surface_dice` of masks that share their work with other metrics."""
    if not tolerance_mm >= 0:
        raise ValueError("tolerance_mm must not be negative")
    if (value := _of_empty(pair, both_empty, 0.0)) is not None:
        return value
    near = pair.there.area_within(tolerance_mm) + pair.back.area_within(tolerance_mm)
    share = near / (pair.there.total + pair.back.total)
    return min(share, 1.0)  # added up by distance, all areas may round to more than the total


def hausdorff_of(pair: MaskPair, percentile: float, both_empty: float, one_empty: float) -> float:
    """`hausdorff` of masks that share their work with other metrics."""
    if not 0 <= percentile <= 100 or 0 < percentile < 1:
        raise ValueError("percentile must be 0 or from 1 to 100: 95, not 0.95")
    if (value := _of_empty(pair, both_empty, one_empty)) is not None:
        return value
    return max(way.quantile(percentile / 100) for way in (pair.there, pair.back))


def mean_of(pair: MaskPair, both_empty: float, one_empty: float) -> float:
    """`mean_surface_distance` of masks that share their work with other metrics."""
    if (value := _of_empty(pair, both_empty, one_empty)) is not None:
        return value
    return pooled(pair.there.profile, pair.back.profile).mean()


def median_of(pair: MaskPair, both_empty: float, one_empty: float) -> float:
    """`median_surface_distance` of masks that share their work with other metrics."""
    if (value := _of_empty(pair, both_empty, one_empty)) is not None:
        return value
    return pooled(pair.there.profile, pair.back.profile).quantile(0.5)


def _of_empty(pair: MaskPair, both_empty: float, one_empty: float) -> float | None:
    """The value where a mask is empty; None where both have a surface."""
    if pair.size_a and pair.size_b:
        return None
    return one_empty if pair.size_a or pair.size_b else both_empty


def _pair(pred: ArrayLike, ref: ArrayLike, spacing_mm: Sequence[float]) -> MaskPair:
    a, b = mask(pred, "pred"), mask(ref, "ref")
    if a.ndim != 3 or a.shape != b.shape:
        raise ValueError(f"masks must be three-dimensional and of one shape, not {a.shape} and {b.shape}")
    return mask_pair(a, b, spacing_of(spacing_mm))
