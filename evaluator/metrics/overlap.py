"""Volumetric overlap of two masks."""

import numpy as np
from numpy.typing import ArrayLike

from evaluator.metrics._arrays import mask


def dice(pred: ArrayLike, ref: ArrayLike, *, both_empty: float = 1.0) -> float:
    """Dice similarity coefficient 2·|A∩B| / (|A|+|B|) of two boolean masks of one shape.

    One empty mask gives 0; two empty masks give `both_empty`.

    Raises:
        ValueError: a mask is not boolean, or the shapes differ.
    """
    a, b = mask(pred, "pred"), mask(ref, "ref")
    if a.shape != b.shape:
        raise ValueError(f"masks differ in shape: {a.shape} and {b.shape}")
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    if total == 0:
        return both_empty
    return 2.0 * int(np.count_nonzero(a & b)) / total
