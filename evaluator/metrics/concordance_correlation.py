"""Lin's concordance correlation: how close predictions lie to the truths themselves, not to any line."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from evaluator.metrics._arrays import number_pair
from evaluator.metrics._errors import NotScored
from evaluator.metrics._of_datasets import _fixed, _Pearson
from evaluator.metrics._plugin import DatasetData, DatasetMetric, Values
from evaluator.metrics.influence import of_mean
from evaluator.metrics.intervals import FISHER
from evaluator.metrics.weighted import is_one_value
from evaluator.resampling import Counts


class _Concordance(_Pearson):
    """missing: the prediction that stands for a missing output."""


def concordance_correlation(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """2·s_xy / (s_x² + s_y² + (x̄ − ȳ)²), all with n, from −1 to 1; a constant prediction earns 0.

    L. I.-K. Lin 1989 (https://doi.org/10.2307/2532051), with the variances of his 2000 erratum.

    Raises:
        NotScored: fewer than two cases, or constant truths.
        ValueError: numbers that are not finite, or lengths that differ.
    """
    true, predicted = number_pair(y_true, y_pred)
    if len(true) < 2 or (true == true[0]).all():
        raise NotScored("a concordance correlation needs at least two cases whose labels differ")
    return float(_weighted(DatasetData(true, predicted), np.ones((1, len(true))), None)[0])


def _scaled(data: DatasetData) -> tuple[Values, Values]:
    """Both in one unit, a power of two, and from one origin, so that squares stay in the range of floats."""
    largest = max(np.abs(data.labels).max(), np.abs(data.scores).max())
    unit = -int(np.frexp(largest)[1])
    true, predicted = np.ldexp(data.labels, unit), np.ldexp(data.scores, unit)
    return true - true.mean(), predicted - true.mean()


def _weighted(data: DatasetData, counts: Counts, _: Any) -> Values:
    true, predicted = _scaled(data)
    total = counts.sum(axis=1)
    means = counts @ np.stack([true, predicted], axis=1) / total[:, None]
    one, other = true - means[:, :1], predicted - means[:, 1:]
    together = (counts * one * other).sum(axis=1) / total
    apart = (counts * (one**2 + other**2)).sum(axis=1) / total + (means[:, 0] - means[:, 1]) ** 2
    value: Values = np.clip(2 * together / apart, -1, 1)
    return np.where(is_one_value(data.labels, counts), np.nan, value)


def _influence(data: DatasetData, parameters: Any) -> Values:
    """ψ: the slopes of numerator and denominator by the weight of each case."""
    value = concordance_correlation(data.labels, data.scores)
    true, predicted = _scaled(data)
    one, other, shift = true - true.mean(), predicted - predicted.mean(), true.mean() - predicted.mean()
    apart = float(np.mean(one**2 + other**2)) + shift**2
    return of_mean((2 * one * other - value * (one**2 + other**2 + 2 * shift * (one - other))) / apart)


METRICS = (
    DatasetMetric(
        "concordance_correlation", "higher", -1, 1, -1, _Concordance,
        lambda data, _: concordance_correlation(data.labels, data.scores), _fixed, _influence,
        weighted=_weighted, reads="numbers", title="concordance correlation", interval=FISHER,
    ),
)  # fmt: skip
