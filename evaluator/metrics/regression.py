"""Metrics of predicted numbers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import number_pair
from evaluator.metrics._errors import NotScored


def mae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean absolute error, in the unit of the numbers, of (n,) truths and (n,) predictions.

    Raises:
        NotScored: there is no case.
        ValueError: numbers that are not finite, or lengths that differ.
    """
    true, predicted = number_pair(y_true, y_pred)
    if len(true) == 0:
        raise NotScored("the mean absolute error needs at least one case")
    # Dividing first: the sum of a few predictions near 1e308 would not be finite.
    return float(np.sum(np.abs(predicted - true) / len(true)))


def rmse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Root mean squared error, in the unit of the numbers, of (n,) truths and (n,) predictions.

    Raises:
        NotScored: there is no case.
        ValueError: numbers that are not finite, or lengths that differ.
    """
    true, predicted = number_pair(y_true, y_pred)
    if len(true) == 0:
        raise NotScored("the root mean squared error needs at least one case")
    errors = predicted - true
    largest = np.abs(errors).max()
    if not 0 < largest < np.inf:
        return float(largest)
    return float(largest * np.sqrt(np.mean((errors / largest) ** 2)))  # squares of 1e200 are not finite


def r2(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Coefficient of determination, 1 − Σ(y − p)²/Σ(y − ȳ)²: 1 is perfect, 0 is as good as the mean.

    Raises:
        NotScored: fewer than two cases, or constant truths.
        ValueError: numbers that are not finite, or lengths that differ.
    """
    true, predicted = number_pair(y_true, y_pred)
    if len(true) < 2 or (true == true[0]).all():
        raise NotScored("R² needs at least two cases whose labels differ")
    spread = true - true.mean()
    with np.errstate(over="ignore"):  # an error near 1e200 has R² −∞, which is reported as not scored
        return float(1 - np.sum((predicted - true) ** 2) / (spread @ spread))


def spearman(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Spearman's rank correlation of (n,) truths and (n,) predictions; equals share their average rank.

    Raises:
        NotScored: fewer than two cases, or constant truths or predictions.
        ValueError: numbers that are not finite, or lengths that differ.
    """
    true, predicted = number_pair(y_true, y_pred)
    return pearson(average_ranks(true), average_ranks(predicted))


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of the ranks they cover."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return ranks


def pearson(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Pearson's sample correlation of (n,) truths and (n,) predictions.

    Raises:
        NotScored: fewer than two cases, or constant truths or predictions.
        ValueError: numbers that are not finite, or lengths that differ.
    """
    true, predicted = number_pair(y_true, y_pred)
    if len(true) < 2:
        raise NotScored("a correlation needs at least two cases")
    one, other = _centred(true, "labels"), _centred(predicted, "predictions")
    value = float(one @ other) / float(np.sqrt((one @ one) * (other @ other)))
    return min(1.0, max(-1.0, value))


def standardised(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Truths and predictions, (n,) each, shifted and scaled to mean 0 and mean square 1.

    Raises:
        NotScored: fewer than two cases, or constant truths or predictions.
        ValueError: numbers that are not finite, or lengths that differ.
    """
    true, predicted = number_pair(y_true, y_pred)
    if len(true) < 2:
        raise NotScored("a correlation needs at least two cases")
    one, other = _centred(true, "labels"), _centred(predicted, "predictions")
    return one / np.sqrt(np.mean(one**2)), other / np.sqrt(np.mean(other**2))


def _centred(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Deviations from the mean, scaled to at most 1, so that squares stay in the range of floats."""
    if (values == values[0]).all():
        raise NotScored(f"constant {name} have no correlation")
    # By a power of two, which rounds nothing, and centred twice: the first mean is rounded, the second hardly.
    scaled = np.ldexp(values, -int(np.frexp(np.abs(values).max())[1]))
    deviations = scaled - scaled.mean()
    deviations = deviations - deviations.mean()
    largest = np.abs(deviations).max()
    if largest == 0:
        raise NotScored(f"{name} that differ by rounding only have no correlation")
    result: NDArray[np.float64] = deviations / largest
    return result
