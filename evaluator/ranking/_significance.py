"""Test-then-rank: how many others a team is significantly better than, case by case."""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from evaluator.ranking._ties import Values

ALPHA = 0.05
"""Of all one-sided tests of a metric together, by Holm's method."""

_DECIMALS = 12  # of a difference: ties are ties in spite of rounding


def wins(cases: Values, counts: Values) -> Values:
    """The number of teams that each is better than by the test, in every resample; shape (resamples, teams).

    For each ordered pair Wilcoxon's signed rank test of the paired cases, one-sided, with the normal curve and the
    correction for continuity; then Holm's correction. Cases in which both are equal, or one is undefined, do not count.
    That is challengeR's test-then-rank with `p.adjust.method="holm"`. A team without any value has NaN.

    Args:
        cases: (teams, cases), higher is better, NaN where a case is undefined.
        counts: (resamples, cases), how often each case is in each resample.
    """
    teams = len(cases)
    known = np.isfinite(cases).astype(np.float64)
    p = np.full((len(counts), teams, teams), np.nan)
    for one, other in combinations(np.flatnonzero(known.any(axis=1)).tolist(), 2):
        differences = np.round(cases[one] - cases[other], _DECIMALS)
        p[:, one, other], p[:, other, one] = _signed_rank(differences, counts)
    better = (_holm(p.reshape(len(counts), -1)) <= ALPHA).reshape(p.shape)
    return np.where(counts @ known.T > 0, better.sum(axis=2), np.nan)


def _signed_rank(differences: Values, counts: Values) -> tuple[Values, Values]:
    """One-sided p-values, each of shape (resamples,), of differences above 0 and of differences below."""
    from scipy.special import ndtr

    used = np.flatnonzero(np.isfinite(differences) & (differences != 0))
    if not len(used):
        return np.ones(len(counts)), np.ones(len(counts))
    order = used[np.argsort(np.abs(differences[used]), kind="stable")]
    size = np.abs(differences[order])
    starts = np.flatnonzero(np.diff(size, prepend=-1.0))
    drawn = counts[:, order]
    tied = np.add.reduceat(drawn, starts, axis=1)
    above = np.add.reduceat(drawn * (differences[order] > 0), starts, axis=1)
    ranks = np.cumsum(tied, axis=1) - (tied - 1) / 2
    beyond = ((above - tied / 2) * ranks).sum(axis=1)
    variance = (tied * ranks**2).sum(axis=1) / 4
    with np.errstate(invalid="ignore", divide="ignore"):
        up, down = (
            np.where(variance > 0, ndtr((0.5 - way) / np.sqrt(variance)), 1) for way in (beyond, -beyond)
        )
    return up, down


def _holm(p: Values) -> npt.NDArray[np.float64]:
    """Holm's step-down adjustment along the last axis; NaN is no test."""
    order = np.argsort(p, axis=-1)  # NaN last
    tests = np.isfinite(p).sum(axis=-1, keepdims=True)
    steps = np.maximum(tests - np.arange(p.shape[-1]), 1)
    raised = np.maximum.accumulate(np.take_along_axis(p, order, axis=-1) * steps, axis=-1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(raised, 1), axis=-1)
    return adjusted
