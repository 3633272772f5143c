"""Intervals and paired tests of AUROC without resampling.

The variance is that of DeLong, DeLong and Clarke-Pearson (Biometrics 1988;44:837), from the placements of each
case among those of the other class in O(n log n) (Sun and Xu, IEEE Signal Processing Letters 2014;21:1389).
Cases of one subject are no independent witnesses: with `subjects` their influence is summed first.

Where all positives are above all negatives (or all below, or all scores equal) that variance is 0, and so is that of
any resample, though a few cases prove no perfection. `unvarying_interval` then bounds AUROC without a variance.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import class_scores, same_length
from evaluator.metrics.classification import auroc
from evaluator.metrics.influence import Influence, by_unit, of_auroc
from evaluator.resampling import unit_numbers

_ROUNDING = 1e-12


@dataclass(frozen=True)
class AurocInterval:
    """AUROC with its standard error and the interval, cut at 0 and 1.

    exact: the estimated standard error is 0, and the bounds are those of `unvarying_interval`.
    """

    value: float
    standard_error: float
    low: float
    high: float
    exact: bool = False


@dataclass(frozen=True)
class PairedTest:
    """Two submissions on the same cases: difference of their AUROC, standard error, z, two-sided p-value."""

    difference: float
    standard_error: float
    z: float
    p_value: float


def auroc_interval(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    level: float = 0.95,
    subjects: Sequence[Hashable] | None = None,
) -> AurocInterval:
    """DeLong's interval of AUROC, or `unvarying_interval` where its standard error is 0.

    Args:
        y_true: (n,) labels 0 or 1.
        y_score: (n,) finite scores, higher for label 1.
        level: share of repetitions that the interval shall cover.
        subjects: (n,) the subject of each case; every case its own if left out.

    Raises:
        NotScored: a class has fewer than two cases.
        ValueError: as `classification.auroc`.
    """
    value = auroc(y_true, y_score)
    error = float(np.sqrt(np.sum(_influence(y_true, y_score, subjects) ** 2)))
    bounds = unvarying_interval(y_true, y_score, level=level, subjects=subjects)
    if bounds is not None:
        return AurocInterval(value, 0.0, *bounds, exact=True)
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    return AurocInterval(value, error, max(value - reach, 0.0), min(value + reach, 1.0))


def paired_test(
    y_true: ArrayLike,
    y_score_a: ArrayLike,
    y_score_b: ArrayLike,
    *,
    subjects: Sequence[Hashable] | None = None,
) -> PairedTest:
    """DeLong's test that two submissions have the same AUROC on the same cases; difference is a − b.

    Where both order every pair alike there is nothing to test: z is 0 and the p-value 1. Where one is always right
    and the other always wrong the variance is 0 as well; z is then infinite and p that of the sign flips of the
    subjects, 2 · 2⁻ⁿ.

    Raises:
        NotScored: a class has fewer than two cases.
        ValueError: as `classification.auroc`.
    """
    difference = auroc(y_true, y_score_a) - auroc(y_true, y_score_b)
    psi = _influence(y_true, y_score_a, subjects) - _influence(y_true, y_score_b, subjects)
    error = float(np.sqrt(np.sum(psi**2)))
    if error <= _ROUNDING * abs(difference):
        p = 2.0 * 0.5 ** min(len(psi), 1000) if difference else 1.0
        return PairedTest(difference, 0.0, math.copysign(math.inf, difference) if difference else 0.0, p)
    z = difference / error
    return PairedTest(difference, error, z, math.erfc(abs(z) / math.sqrt(2)))


def unvarying_interval(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    level: float = 0.95,
    subjects: Sequence[Hashable] | None = None,
) -> tuple[float, float] | None:
    """MetricInterval of AUROC where it is the same in every resample; None where resamples differ.

    k pairs of a positive and a negative with no subject in two of them are independent. If a pair is in order with
    probability A, all k are with probability Aᵏ at most, so that A < (α/2)^(1/k) is refuted: Clopper and Pearson's
    bound for k of k, whatever the distribution of the scores. The same holds for all in reverse, and for all tied.

    Args:
        y_true: (n,) labels 0 or 1.
        y_score: (n,) finite scores, higher for label 1.
        level: 1 − α.
        subjects: (n,) the subject of each case; every case its own if left out.

    Raises:
        NotScored: there are no positives, or no negatives.
        ValueError: as `classification.auroc`.
    """
    value, positive = auroc(y_true, y_score), np.asarray(y_true).astype(bool)
    scores = np.asarray(y_score, dtype=np.float64)
    if value not in (0.0, 1.0) and np.ptp(scores) > 0:
        return None
    units = np.arange(len(scores)) if subjects is None else unit_numbers(subjects)
    least = ((1 - level) / 2) ** (1 / _independent_pairs(units[positive], units[~positive]))
    return value * least, 1 - (1 - value) * least


def ovr_unvarying_interval(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    level: float = 0.95,
    subjects: Sequence[Hashable] | None = None,
) -> tuple[float, float] | None:
    """The mean of the bounds of each class against the rest: if all are in order at once, each of them is.

    None where a class has none. Of two classes, column 1 is bounded alone, as `classification.ovr_auroc` scores it.

    Args:
        y_true: (n,) class indices 0..C-1.
        y_score: (n, C) finite scores.
        level: as for `unvarying_interval`.
        subjects: as for `unvarying_interval`.
    """
    label, score = class_scores(y_true, y_score)
    intervals = [
        unvarying_interval(label == column, score[:, column], level=level, subjects=subjects)
        for column in ([1] if score.shape[1] == 2 else range(score.shape[1]))
        if 0 < (label == column).sum() < len(label)
    ]
    known = [bounds for bounds in intervals if bounds is not None]
    if not known or len(known) < len(intervals):
        return None
    low, high = np.mean(known, axis=0)
    return float(low), float(high)


def _independent_pairs(positive: NDArray[np.intp], negative: NDArray[np.intp]) -> int:
    """How many pairs of a positive and a negative there are without a subject in two of them, at least 1."""
    own, other = np.unique(positive), np.unique(negative)
    return max(min(len(own), len(other), len(np.union1d(own, other)) // 2), 1)


def _influence(y_true: ArrayLike, y_score: ArrayLike, subjects: Sequence[Hashable] | None) -> Influence:
    psi = of_auroc(y_true, y_score)
    if subjects is None:
        return psi
    units = unit_numbers(subjects)
    same_length(psi, units)
    return by_unit(psi, units)
