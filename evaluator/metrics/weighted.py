"""Metrics of weighted cases: a thousand resamples at once, as matrix products of counts and per-case terms.

Each function takes the data, rows of counts and the metric's parameters. It gives, per row of counts, what the
metric of `evaluator.metrics` gives for the cases repeated so often, and NaN where that is undefined.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics._plugin import DatasetData, Values
from evaluator.metrics.calibration import bin_of
from evaluator.metrics.resampled import auroc_replicates
from evaluator.resampling import Counts

_LEFT = 0.01
"""The share of a sum of squares that has to be left about the resample's own mean for it to keep thirteen digits."""


def weighted_mean(values: Values, counts: Counts) -> Values:
    """Mean of per-case values in every resample; cases whose value is NaN are left out of it."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", over="ignore"):
        mean: Values = counts[:, known] @ values[known] / counts[:, known].sum(axis=1)
    return mean


def mean_of_finite(rows: Values) -> Values:
    """Mean over the first axis of what is finite; NaN where nothing is."""
    known = np.isfinite(rows)
    with np.errstate(invalid="ignore"):
        mean: Values = np.where(known, rows, 0).sum(axis=0) / known.sum(axis=0)
    return mean


def auroc(data: DatasetData, counts: Counts, _: Any) -> Values:
    area: Values = auroc_replicates(data.labels, data.scores[None, :], counts)[0]
    return area


def ovr_auroc(data: DatasetData, counts: Counts, _: Any) -> Values:
    return _over_classes(data, lambda own, scores: auroc_replicates(own, scores[None, :], counts)[0])


def auprc(data: DatasetData, counts: Counts, _: Any) -> Values:
    return average_precisions(data.labels == 1, data.scores, counts)


def ovr_auprc(data: DatasetData, counts: Counts, _: Any) -> Values:
    def of_class(own: npt.NDArray[np.bool_], scores: Values) -> Values:
        area = average_precisions(own, scores, counts)
        return np.where(counts[:, ~own].any(axis=1), area, np.nan)

    classes = data.scores.shape[1]
    if classes == 2:
        return average_precisions(data.labels == 1, data.scores[:, 1], counts)
    return mean_of_finite(
        np.array([of_class(data.labels == number, data.scores[:, number]) for number in range(classes)])
    )


def _over_classes(data: DatasetData, area: Callable[[npt.NDArray[np.bool_], Values], Values]) -> Values:
    classes = data.scores.shape[1]
    columns = [1] if classes == 2 else range(classes)
    return mean_of_finite(
        np.array([area(data.labels == column, data.scores[:, column]) for column in columns])
    )


def average_precisions(positive: npt.NDArray[np.bool_], scores: Values, counts: Counts) -> Values:
    """Average precision of every resample; positive and scores: (cases,)."""
    order = np.argsort(-scores)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of each group of equals
    drawn = np.cumsum(counts[:, order], axis=1)[:, last]
    hits = np.cumsum(counts[:, order] * positive[order], axis=1)[:, last]
    precision = np.divide(hits, drawn, out=np.zeros_like(hits), where=drawn > 0)
    area: Values = (np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1) / hits[:, -1]
    return area


def balanced_accuracy(data: DatasetData, counts: Counts, parameters: Any) -> Values:
    positive, called = data.labels == 1, data.scores >= parameters.threshold
    right = np.stack([positive & called, ~positive & ~called], axis=1).astype(float)
    size = np.stack([positive, ~positive], axis=1).astype(float)
    recall: Values = (counts @ right / (counts @ size)).mean(axis=1)
    return recall


def f1(data: DatasetData, counts: Counts, parameters: Any) -> Values:
    positive, called = data.labels == 1, data.scores >= parameters.threshold
    size = counts @ (positive.astype(float) + called)
    hits = counts @ (positive & called).astype(float)
    score: Values = np.divide(2 * hits, size, out=np.zeros_like(hits), where=size > 0)
    return score


def macro_recall(data: DatasetData, counts: Counts, _: Any) -> Values:
    true = np.eye(data.scores.shape[1])[data.labels.astype(np.intp)]
    right = true * (data.scores.argmax(axis=1) == data.labels)[:, None]
    return mean_of_finite((counts @ right / (counts @ true)).T)


def macro_f1(data: DatasetData, counts: Counts, _: Any) -> Values:
    eye = np.eye(data.scores.shape[1])
    true, predicted = eye[data.labels.astype(np.intp)], eye[data.scores.argmax(axis=1)]
    hits, sizes = counts @ (true * predicted), counts @ (true + predicted)
    return mean_of_finite((2 * hits / sizes).T)


def brier(data: DatasetData, counts: Counts, _: Any) -> Values:
    return weighted_mean((data.scores - data.labels) ** 2, counts)


def ovr_brier(data: DatasetData, counts: Counts, _: Any) -> Values:
    true = np.eye(data.scores.shape[1])[data.labels.astype(np.intp)]
    return weighted_mean(((data.scores - true) ** 2).mean(axis=1), counts)


def calibration_error(data: DatasetData, counts: Counts, parameters: Any) -> Values:
    return _bin_errors(data.labels.astype(float), data.scores, counts, parameters.bins)


def ovr_calibration_error(data: DatasetData, counts: Counts, parameters: Any) -> Values:
    classes = range(data.scores.shape[1])
    return mean_of_finite(
        np.array(
            [
                _bin_errors(
                    (data.labels == number).astype(float), data.scores[:, number], counts, parameters.bins
                )
                for number in classes
            ]
        )
    )


def _bin_errors(labels: Values, scores: Values, counts: Counts, bins: int) -> Values:
    excess = np.eye(bins)[bin_of(scores, bins)] * (scores - labels)[:, None]
    error: Values = np.abs(counts @ excess).sum(axis=1) / counts.sum(axis=1)
    return error


def mae(data: DatasetData, counts: Counts, _: Any) -> Values:
    return weighted_mean(np.abs(data.scores - data.labels), counts)


def rmse(data: DatasetData, counts: Counts, _: Any) -> Values:
    errors = data.scores - data.labels
    largest = np.abs(errors).max(initial=0)
    if not 0 < largest < np.inf:
        return weighted_mean(np.abs(errors), counts)
    root: Values = largest * np.sqrt(weighted_mean((errors / largest) ** 2, counts))  # as the value itself
    return root


def r2(data: DatasetData, counts: Counts, _: Any) -> Values:
    means = counts @ data.labels / counts.sum(axis=1)
    spread = (counts * (data.labels - means[:, None]) ** 2).sum(axis=1)
    explained: Values = 1 - counts @ (data.scores - data.labels) ** 2 / spread
    return np.where(is_one_value(data.labels, counts), np.nan, explained)


def spearman(data: DatasetData, counts: Counts, _: Any) -> Values:
    middle = (
        counts.sum(axis=1, keepdims=True) + 1
    ) / 2  # the mean rank, so that all sums are of halves and exact
    one, other = (_ranks(values, counts) - middle for values in (data.labels, data.scores))
    weighted = counts * one
    squares = (weighted * one).sum(axis=1) * (counts * other**2).sum(axis=1)
    return _correlation((weighted * other).sum(axis=1), squares)


def _ranks(values: Values, counts: Counts) -> Values:
    """Average rank of each case among the cases of each resample, shape (resamples, cases)."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    members = np.add.reduceat(counts[:, order], starts, axis=1)
    ranks: Values = (np.cumsum(members, axis=1) - (members - 1) / 2)[:, group]
    return ranks


def pearson(data: DatasetData, counts: Counts, _: Any) -> Values:
    """Sums of products about the mean of all cases; where little would be left of them, about that of the resample."""
    one, other = (_centred(values) for values in (data.labels, data.scores))
    sums = counts @ np.stack([one, other, one**2, other**2, one * other], axis=1)
    size = counts.sum(axis=1)
    means = sums[:, :2] / size[:, None]
    spread = sums[:, 2:4] - size[:, None] * means**2
    correlation = _correlation(sums[:, 4] - size * means.prod(axis=1), spread.prod(axis=1))
    apart = ~(spread > _LEFT * sums[:, 2:4]).all(axis=1)
    correlation[apart] = _pearson_apart(data.labels, data.scores, counts[apart])
    return correlation


def _centred(values: Values) -> Values:
    """Deviations from the mean of all, scaled by a power of two to at most about 1."""
    scaled = np.ldexp(values, -int(np.frexp(np.abs(values).max())[1]))
    deviations: Values = scaled - scaled.mean()
    return deviations


def _pearson_apart(labels: Values, scores: Values, counts: Counts) -> Values:
    one, other = _deviations(labels, counts), _deviations(scores, counts)
    squares = (counts * one**2).sum(axis=1) * (counts * other**2).sum(axis=1)
    correlation = _correlation((counts * one * other).sum(axis=1), squares)
    return np.where(is_one_value(labels, counts) | is_one_value(scores, counts), np.nan, correlation)


def _correlation(product: Values, squares: Values) -> Values:
    correlation: Values = np.clip(product / np.sqrt(squares), -1, 1)
    return correlation


def _deviations(values: Values, counts: Counts) -> Values:
    """Deviations from each resample's mean, scaled to at most 1: one huge outlier must not drown the others.

    As in `evaluator.metrics.pearson` values are scaled by a power of two and centred twice.
    """
    within = np.broadcast_to(np.ldexp(values, -int(np.frexp(np.abs(values).max())[1])), counts.shape)
    for _ in range(2):
        means = (counts * within).sum(axis=1) / counts.sum(axis=1)
        within = np.where(counts > 0, within - means[:, None], 0)
    scaled: Values = within / np.abs(within).max(axis=1, keepdims=True)
    return scaled


def is_one_value(values: Values, counts: Counts) -> npt.NDArray[np.bool_]:
    """Whether all cases of a resample have the same value; rounding alone would hide it in the variance."""
    highest = np.where(counts > 0, values, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(counts > 0, values, np.inf).min(axis=1, initial=np.inf)
    same: npt.NDArray[np.bool_] = highest <= lowest
    return same
