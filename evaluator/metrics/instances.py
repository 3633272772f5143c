"""Lesion by lesion: how well each was outlined, with those that were missed or made up.

Lesions are the connected components of a mask, as in `evaluator.metrics.lesions`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import mask
from evaluator.metrics.lesions import Connectivity, components
from evaluator.metrics.pairs import MaskPair, mask_pair

_Whole = NDArray[np.signedinteger]


@dataclass(frozen=True)
class Overlaps:
    """The voxels of each lesion, and of each pair of a predicted and a reference lesion that share some.

    size_a: of the predicted lesions; size_b: of the reference's. a, b, shared: per pair their numbers from 0 and how
    many voxels they share, ordered by b, then a.
    """

    size_a: _Whole
    size_b: _Whole
    a: _Whole
    b: _Whole
    shared: _Whole


def panoptic_quality(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    connectivity: Connectivity = 26,
    min_iou: float = 0.5,
    both_empty: float = 1.0,
) -> float:
    """Σ IoU of the matched lesions / (matched + half of the others), from 0 to 1: A. Kirillov et al. 2019.

    A predicted and a reference lesion may match where their intersection over union is above `min_iou`. From 0.5 on
    nothing else fits either of them; below, pairs are taken in the order of falling IoU, each lesion once. One empty
    mask gives 0, two give `both_empty`. https://doi.org/10.1109/CVPR.2019.00963

    Raises:
        ValueError: as `evaluator.metrics.lesions.lesion_counts`; the share is `min_iou`, below 1.
    """
    pair = mask_pair(mask(pred, "pred"), mask(ref, "ref"))
    return panoptic_quality_of(pair, connectivity, min_iou, both_empty)


def lesion_dice(
    pred: ArrayLike, ref: ArrayLike, *, connectivity: Connectivity = 26, both_empty: float = 1.0
) -> float:
    """Mean Dice of the reference lesions, each with all predicted lesions that touch it, from 0 to 1.

    Predicted lesions that touch none count as lesions with 0, and so does what was missed. That is the lesion-wise
    Dice of BraTS 2023 without its dilation and its bound of size. One empty mask gives 0, two give `both_empty`.

    Raises:
        ValueError: as `evaluator.metrics.lesions.lesion_counts`.
    """
    pair = mask_pair(mask(pred, "pred"), mask(ref, "ref"))
    return lesion_dice_of(pair, connectivity, both_empty)


def panoptic_quality_of(pair: MaskPair, connectivity: int, min_iou: float, both_empty: float) -> float:
    """`panoptic_quality` of masks that share their work with other metrics."""
    if not 0 <= min_iou < 1:
        raise ValueError("min_iou must be from 0 to below 1")
    found = overlaps_of(pair, connectivity)
    lesions = len(found.size_a) + len(found.size_b)
    if not lesions:
        return both_empty
    iou = found.shared / (found.size_a[found.a] + found.size_b[found.b] - found.shared)
    matched = _matched(found, iou, min_iou)
    return float(iou[matched].sum() / (lesions / 2))


def _matched(found: Overlaps, iou: NDArray[np.float64], min_iou: float) -> list[int]:
    """The numbers of the pairs that match, best first."""
    free_a, free_b = np.ones(len(found.size_a), bool), np.ones(len(found.size_b), bool)
    matched = []
    for number in np.argsort(-iou, kind="stable")[: int((iou > min_iou).sum())].tolist():
        a, b = found.a[number], found.b[number]
        if free_a[a] and free_b[b]:
            free_a[a] = free_b[b] = False
            matched.append(number)
    return matched


def lesion_dice_of(pair: MaskPair, connectivity: int, both_empty: float) -> float:
    """`lesion_dice` of masks that share their work with other metrics."""
    found = overlaps_of(pair, connectivity)
    false = len(found.size_a) - len(np.unique(found.a))
    if not len(found.size_b) + false:
        return both_empty
    shared = np.bincount(found.b, found.shared, minlength=len(found.size_b))
    touching = np.bincount(found.b, found.size_a[found.a], minlength=len(found.size_b))
    return float((2 * shared / (found.size_b + touching)).sum() / (len(found.size_b) + false))


def overlaps_of(pair: MaskPair, connectivity: int) -> Overlaps:
    """The lesions of both masks, made once for all metrics of one connectivity."""
    key = (connectivity,)
    if key not in pair.lesions:
        # In the order of the image's axes, so that ties do not depend on how arrays lie in memory.
        masks = [own.T if pair.flipped else own for own in (pair.a, pair.b)]
        (a, size_a), (b, size_b) = (components(own, connectivity) for own in masks)
        both = masks[0] & masks[1]
        pairs = (b[both].astype(np.int64) - 1) * len(size_a) + a[both] - 1
        numbers, shared = np.unique(pairs, return_counts=True)
        b_of, a_of = np.divmod(numbers, max(len(size_a), 1))
        pair.lesions[key] = Overlaps(size_a, size_b, a_of, b_of, shared)
    found: Overlaps = pair.lesions[key]
    return found
