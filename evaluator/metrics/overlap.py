"""Volumetric overlap of two masks."""

from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import mask
from evaluator.metrics.masks import box_of, cut, joined
from evaluator.metrics.memory import copied
from evaluator.metrics.pairs import MaskPair, same_shape


def dice(pred: ArrayLike, ref: ArrayLike, *, both_empty: float = 1.0) -> float:
    """Dice similarity coefficient 2·|A∩B| / (|A|+|B|) of two boolean masks of one shape.

    One empty mask gives 0; two empty masks give `both_empty`.

    Raises:
        ValueError: a mask is not boolean, or the shapes differ.
    """
    a, b = mask(pred, "pred"), mask(ref, "ref")
    same_shape(a, b)
    a, b = _filled(a, b)
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return both_empty if total == 0 else 2.0 * int(np.count_nonzero(a & b)) / total


def _filled(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The masks inside the box of all set voxels, in one piece each; as they are where that is most of the image."""
    box = joined(box_of(a), box_of(b))
    if box is None or 2 * prod(last - first for first, last in box) > a.size:
        return a, b
    return copied(cut(a, box)), copied(cut(b, box))


def dice_of(pair: MaskPair, both_empty: float) -> float:
    """`dice` of masks that share their work with other metrics."""
    total = pair.size_a + pair.size_b
    return both_empty if total == 0 else 2.0 * pair.overlap / total
