"""Intervals and paired tests of AUROC without resampling.

The variance is that of DeLong, DeLong and Clarke-Pearson (Biometrics 1988;44:837), from the placements of each
case among those of the other class in O(n log n) (Sun and Xu, IEEE Signal Processing Letters 2014;21:1389).
Cases of one subject are no independent witnesses: with `subjects` their influence is summed first.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from evaluator.metrics._arrays import same_length
from evaluator.metrics.classification import auroc
from evaluator.metrics.influence import Influence, by_unit, of_auroc
from evaluator.resampling import unit_numbers


@dataclass(frozen=True)
class Interval:
    """AUROC with its standard error and the interval, cut at 0 and 1."""

    value: float
    standard_error: float
    low: float
    high: float


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
) -> Interval:
    """DeLong's interval of AUROC.

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
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    return Interval(value, error, max(value - reach, 0.0), min(value + reach, 1.0))


def paired_test(
    y_true: ArrayLike,
    y_score_a: ArrayLike,
    y_score_b: ArrayLike,
    *,
    subjects: Sequence[Hashable] | None = None,
) -> PairedTest:
    """DeLong's test that two submissions have the same AUROC on the same cases; difference is a − b.

    Where both order every pair alike there is nothing to test: z is 0 and the p-value 1.

    Raises:
        NotScored: a class has fewer than two cases.
        ValueError: as `classification.auroc`.
    """
    difference = auroc(y_true, y_score_a) - auroc(y_true, y_score_b)
    psi = _influence(y_true, y_score_a, subjects) - _influence(y_true, y_score_b, subjects)
    error = float(np.sqrt(np.sum(psi**2)))
    if error == 0:
        return PairedTest(difference, 0.0, 0.0, 1.0)
    z = difference / error
    return PairedTest(difference, error, z, math.erfc(abs(z) / math.sqrt(2)))


def _influence(y_true: ArrayLike, y_score: ArrayLike, subjects: Sequence[Hashable] | None) -> Influence:
    psi = of_auroc(y_true, y_score)
    if subjects is None:
        return psi
    units = unit_numbers(subjects)
    same_length(psi, units)
    return by_unit(psi, units)
