"""Detection of single lesions: the connected components of a mask.

A reference lesion is found where the prediction covers enough of its voxels; a predicted lesion is false where
the reference covers too little of it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import mask
from evaluator.metrics.compiled import Kernels, kernels
from evaluator.metrics.pairs import MaskPair, mask_pair

Connectivity = Literal[6, 18, 26]
"""Voxels that belong together share a face, an edge at least, or a corner at least."""

_NEIGHBOURS: dict[int, int] = {6: 1, 18: 2, 26: 3}
_REACH = {6: (-1, 0, -1, 0), 18: (0, 1, 0, 1), 26: (1, 1, 1, 1)}
"""The same for `Kernels.unite`."""
_SECONDS_PER_VOXEL = 1e-8  # what scipy takes inside a box around lesions, about; of noise three times as much
_LARGEST = 2**31
"""Voxels that 32 bits number."""

_Components = tuple[NDArray[np.signedinteger], NDArray[np.signedinteger]]
_NEEDS = "lesions need three dimensions, a connectivity of 6, 18 or 26, an overlap from 0 to 1"


@dataclass(frozen=True)
class LesionCounts:
    """Reference lesions that were found and missed, and predicted lesions that are false."""

    found: int
    missed: int
    false: int


def lesion_counts(
    pred: ArrayLike, ref: ArrayLike, *, connectivity: Connectivity = 26, min_overlap: float = 0.0
) -> LesionCounts:
    """Lesions of two boolean masks of three dimensions and one shape.

    Args:
        pred: the prediction.
        ref: the reference.
        connectivity: 6, 18 or 26 neighbours of a voxel.
        min_overlap: the least share, from 0 to 1, of a lesion's voxels that the other mask has to cover; one
            voxel at least.

    Raises:
        ValueError: masks that are not boolean or not of one shape of three dimensions, another
            connectivity, or a share outside its range.
    """
    pair = mask_pair(mask(pred, "pred"), mask(ref, "ref"))
    return lesion_counts_of(pair, connectivity, min_overlap)


def lesion_f1(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    connectivity: Connectivity = 26,
    min_overlap: float = 0.0,
    both_empty: float = 1.0,
) -> float:
    """2·found / (2·found + missed + false); one empty mask gives 0, two give `both_empty`.

    Arguments and errors as for `lesion_counts`.
    """
    pair = mask_pair(mask(pred, "pred"), mask(ref, "ref"))
    return lesion_f1_of(pair, connectivity, min_overlap, both_empty)


def lesion_sensitivity(
    pred: ArrayLike,
    ref: ArrayLike,
    *,
    connectivity: Connectivity = 26,
    min_overlap: float = 0.0,
    both_empty: float = 1.0,
    reference_empty: float = 0.0,
) -> float:
    """Share of reference lesions that were found: found / (found + missed).

    An empty prediction gives 0, two empty masks `both_empty`, an empty reference alone `reference_empty`.
    Arguments and errors as for `lesion_counts`.
    """
    pair = mask_pair(mask(pred, "pred"), mask(ref, "ref"))
    return lesion_sensitivity_of(pair, connectivity, min_overlap, both_empty, reference_empty)


def lesion_counts_of(pair: MaskPair, connectivity: int, min_overlap: float) -> LesionCounts:
    """`lesion_counts` of masks that share their work with other metrics."""
    if not 0 <= min_overlap <= 1:
        raise ValueError(_NEEDS)
    key = (connectivity, min_overlap)
    if key not in pair.lesions:
        of_reference = _covered(pair.b, pair.a, connectivity, min_overlap)
        of_prediction = _covered(pair.a, pair.b, connectivity, min_overlap)
        found = int(of_reference.sum())
        false = int((~of_prediction).sum())
        pair.lesions[key] = LesionCounts(found, len(of_reference) - found, false)
    counts: LesionCounts = pair.lesions[key]
    return counts


def lesion_f1_of(pair: MaskPair, connectivity: int, min_overlap: float, both_empty: float) -> float:
    """`lesion_f1` of masks that share their work with other metrics."""
    counts = lesion_counts_of(pair, connectivity, min_overlap)
    total = 2 * counts.found + counts.missed + counts.false
    return 2 * counts.found / total if total else both_empty


def lesion_sensitivity_of(
    pair: MaskPair, connectivity: int, min_overlap: float, both_empty: float, reference_empty: float
) -> float:
    """`lesion_sensitivity` of masks that share their work with other metrics."""
    counts = lesion_counts_of(pair, connectivity, min_overlap)
    if not pair.size_b:
        return reference_empty if pair.size_a else both_empty
    return counts.found / (counts.found + counts.missed)


def _covered(
    own: NDArray[np.bool_], other: NDArray[np.bool_], connectivity: int, min_overlap: float
) -> NDArray[np.bool_]:
    """Whether `other` covers enough of each component of `own`."""
    lesions, sizes = components(own, connectivity)
    shared = np.bincount(lesions[own & other], minlength=len(sizes) + 1)[1:]
    covered: NDArray[np.bool_] = (shared > 0) & (shared >= min_overlap * sizes)
    return covered


def components(own: NDArray[np.bool_], connectivity: int) -> _Components:
    """The number of each voxel's lesion, 0 outside of them, and how many voxels each has.

    Lesions are numbered from 1 in the order of their first voxels.

    Raises:
        ValueError: a mask that is not of three dimensions, or another connectivity than 6, 18 and 26.
    """
    if own.ndim != 3 or connectivity not in _NEIGHBOURS:
        raise ValueError(_NEEDS)
    fast = kernels(own.size * _SECONDS_PER_VOXEL) if own.size < _LARGEST else None
    return _compiled_components(own, connectivity, fast) if fast else _scipy_components(own, connectivity)


def _compiled_components(own: NDArray[np.bool_], connectivity: int, fast: Kernels) -> _Components:
    planes, rows, length = own.shape
    voxels = np.ascontiguousarray(own).view(np.uint8)
    ends = np.empty(min(2 * int(np.count_nonzero(own)), planes * rows * (length + 1)) + 1, np.int32)
    begins = np.empty(planes * (rows + 1) + 1, np.int64)
    fast.trace(voxels, ends, begins)
    runs = int(begins[-1])
    parents, sizes = np.arange(runs, dtype=np.int32), np.zeros(runs, np.int64)
    labels = np.zeros(own.shape, np.int32)
    fast.unite(ends, begins, rows + 1, np.array(_REACH[connectivity]), parents)
    count = fast.number(ends, begins, parents, labels, sizes)
    return labels, sizes[:count]


def _scipy_components(own: NDArray[np.bool_], connectivity: int) -> _Components:
    from scipy.ndimage import generate_binary_structure, label  # as in _surface_distances

    lesions, count = label(own, generate_binary_structure(3, _NEIGHBOURS[connectivity]))
    return lesions, np.bincount(lesions[own], minlength=count + 1)[1:]
