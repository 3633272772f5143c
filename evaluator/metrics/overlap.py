"""Volumetric overlap of two masks."""

from numpy.typing import ArrayLike

from evaluator.metrics._arrays import mask
from evaluator.metrics.pairs import MaskPair, mask_pair


def dice(pred: ArrayLike, ref: ArrayLike, *, both_empty: float = 1.0) -> float:
    """Dice similarity coefficient 2·|A∩B| / (|A|+|B|) of two boolean masks of one shape.

    One empty mask gives 0; two empty masks give `both_empty`.

    Raises:
        ValueError: a mask is not boolean, or the shapes differ.
    """
    return dice_of(mask_pair(mask(pred, "pred"), mask(ref, "ref")), both_empty)


def dice_of(pair: MaskPair, both_empty: float) -> float:
    """`dice` of masks that share their work with other metrics."""
    total = pair.size_a + pair.size_b
    return both_empty if total == 0 else 2.0 * pair.overlap / total
