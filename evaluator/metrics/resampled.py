"""AUROC of all submissions in a thousand resamples at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics._arrays import indices, numbers
from evaluator.metrics._compiled import Kernels, kernels
from evaluator.resampling import Counts

_AT_ONCE = 64  # resamples: the arrays of 5,000 cases then stay in a core's cache
_SECONDS_PER_COUNT = 8e-9  # what numpy takes for one case of one submission in one resample, about
_EXACT = 2**24  # whole numbers up to here are exact in float32


def auroc_replicates(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, counts: Counts
) -> npt.NDArray[np.float64]:
    """AUROC of every submission in every resample, shape (submissions, resamples); NaN where undefined.

    Per submission the negatives are sorted once. Their cumulated counts, read where each positive stands, are
    the pairs that it wins; equal scores count half. All sums are of whole numbers and therefore exact.

    Args:
        y_true: (cases,) labels 0 or 1.
        y_scores: (submissions, cases) finite scores, higher for label 1.
        counts: (resamples, cases) as `draw_counts` gives them; the same resamples serve every submission.

    Raises:
        ValueError: other labels, or shapes that do not fit.
    """
    positive = indices(y_true, 2).astype(bool)
    scores = numbers(y_scores, "scores", ndim=2)
    if scores.shape[1] != len(positive) or counts.shape[1] != len(positive):
        raise ValueError("labels, scores and counts must have as many cases")
    fast = kernels(len(scores) * counts.size * _SECONDS_PER_COUNT)
    won = _compiled_pairs_won(positive, scores, fast) if fast else _numpy_pairs_won(positive, scores)
    area = np.empty((len(scores), len(counts)))
    highest = 2 * float(counts.max(initial=0)) * float(counts.sum(axis=1).max(initial=0))
    kind = np.float32 if highest < _EXACT else np.float64
    for start in range(0, len(counts), _AT_ONCE):
        block = np.ascontiguousarray(counts[start : start + _AT_ONCE].T.astype(kind))
        pairs = block[positive].sum(axis=0, dtype=float) * block[~positive].sum(axis=0, dtype=float)
        with np.errstate(invalid="ignore"):
            for row in range(len(scores)):
                area[row, start : start + _AT_ONCE] = won(block, row) / (2 * pairs)
    return area


_Block = npt.NDArray[np.floating[Any]]
_PairsWon = Callable[[_Block, int], npt.NDArray[np.float64]]
"""Twice the pairs that the positives of one submission win in each resample of a block (cases, resamples)."""


def _compiled_pairs_won(
    positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64], fast: Kernels
) -> _PairsWon:
    orders = np.argsort(scores, axis=1)
    ranked = np.take_along_axis(scores, orders, axis=1)
    ends = np.ones(scores.shape, bool)
    ends[:, :-1] = ranked[:, 1:] != ranked[:, :-1]

    def won(block: _Block, row: int) -> npt.NDArray[np.float64]:
        total = np.empty(block.shape[1])
        fast.pairs_won(block, orders[row], positive[orders[row]], ends[row], total)
        return total

    return won


def _numpy_pairs_won(positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> _PairsWon:
    places = [_places(positive, one) for one in scores]
    return lambda block, row: _pairs_won(block, places[row])


_Places = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]


def _places(positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> _Places:
    """Negatives and positives by score, and where each positive stands among the negatives, below and above equals."""
    negatives, positives = np.flatnonzero(~positive), np.flatnonzero(positive)
    negatives = negatives[np.argsort(scores[negatives])]
    positives = positives[np.argsort(scores[positives])]
    low = np.searchsorted(scores[negatives], scores[positives], "left")
    high = np.searchsorted(scores[negatives], scores[positives], "right")
    return negatives, positives, low, high


def _pairs_won(block: npt.NDArray[np.floating[Any]], places: _Places) -> npt.NDArray[np.float64]:
    """Twice the pairs that positives win in each resample; `block` has shape (cases, resamples)."""
    negatives, positives, low, high = places
    below = np.zeros((len(negatives) + 1, block.shape[1]), block.dtype)  # row k: the k lowest negatives
    np.cumsum(block[negatives], axis=0, out=below[1:])
    won = below[low]
    won += below[high]
    won *= block[positives]
    total: npt.NDArray[np.float64] = won.sum(axis=0, dtype=np.float64)
    return total
