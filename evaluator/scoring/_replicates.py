"""Metrics of weighted cases: a thousand resamples at once, as matrix products of counts and per-case terms.

Each function gives, per row of counts, what the metric of `evaluator.metrics` gives for the cases repeated so
often, and NaN where that is undefined.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, NotScored
from evaluator.metrics.registry import DatasetMetric, lookup
from evaluator.resampling import Counts

Values = npt.NDArray[np.float64]
Weighted = Callable[[DatasetData, Counts], Values]

_BLOCK = 2_000_000  # count cells at a time: about 16 MB per intermediate array


def replicates(
    metric: DatasetMetric, parameters: Any, name: str, data: DatasetData, counts: Counts
) -> Values:
    """The metric in every resample, shape (resamples,); NaN where it is undefined.

    Args:
        metric: the plugin; one that is not built in is called once per resample.
        parameters: its parsed parameters.
        name: how the challenge file names it.
        data: the cases, missing outputs already replaced.
        counts: how often each case is in each resample, shape (resamples, cases).
    """
    if name == "fairness":
        return _fairness(data, counts, parameters.of)
    if name in _WEIGHTED:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.concatenate([_WEIGHTED[name](data, block) for block in _blocks(counts)])
    return np.array([_repeated(metric, parameters, data, row) for row in counts])


def weighted_mean(values: Values, counts: Counts) -> Values:
    """Mean of per-case values in every resample; cases whose value is NaN are left out of it."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", over="ignore"):
        mean: Values = counts[:, known] @ values[known] / counts[:, known].sum(axis=1)
    return mean


def _blocks(counts: Counts) -> Sequence[Counts]:
    rows = max(_BLOCK // max(counts.shape[1], 1), 1)
    return [counts[start : start + rows] for start in range(0, len(counts), rows)]


def _repeated(metric: DatasetMetric, parameters: Any, data: DatasetData, row: Values) -> float:
    chosen = np.repeat(np.arange(len(row)), row.astype(np.intp))
    groups = {name: [groups[case] for case in chosen.tolist()] for name, groups in data.groups.items()}
    try:
        return metric.score(DatasetData(data.labels[chosen], data.scores[chosen], groups), parameters)
    except NotScored:
        return float("nan")


def _auroc(positive: npt.NDArray[np.bool_], scores: Values, by_case: Values) -> Values:
    """Pairs won plus half the ties over all pairs; `by_case` are counts of shape (cases, resamples)."""
    order = np.flatnonzero(~positive)[np.argsort(scores[~positive])]
    up_to = np.zeros((len(order) + 1, by_case.shape[1]))  # row k: how often the k lowest negatives occur
    by_case[order].cumsum(axis=0, out=up_to[1:])
    positives, wins = by_case[positive], up_to[np.searchsorted(scores[order], scores[positive], "left")]
    wins += up_to[np.searchsorted(scores[order], scores[positive], "right")]
    pairs = positives.sum(axis=0) * up_to[-1]
    area: Values = np.einsum("pr,pr->r", positives, wins) / (2 * pairs)
    return area


def _binary_auroc(data: DatasetData, counts: Counts) -> Values:
    return _auroc(data.labels == 1, data.scores, np.ascontiguousarray(counts.T))


def _ovr_auroc(data: DatasetData, counts: Counts) -> Values:
    classes = data.scores.shape[1]
    columns = [1] if classes == 2 else range(classes)
    by_case = np.ascontiguousarray(counts.T)
    areas = np.array([_auroc(data.labels == one, data.scores[:, one], by_case) for one in columns])
    return _mean_of_finite(areas)


def _mean_of_finite(rows: Values) -> Values:
    known = np.isfinite(rows)
    with np.errstate(invalid="ignore"):
        mean: Values = np.where(known, rows, 0).sum(axis=0) / known.sum(axis=0)
    return mean


def _macro_f1(data: DatasetData, counts: Counts) -> Values:
    eye = np.eye(data.scores.shape[1])
    true, predicted = eye[data.labels.astype(np.intp)], eye[data.scores.argmax(axis=1)]
    hits, sizes = counts @ (true * predicted), counts @ (true + predicted)
    return _mean_of_finite((2 * hits / sizes).T)


def _mae(data: DatasetData, counts: Counts) -> Values:
    return weighted_mean(np.abs(data.scores - data.labels), counts)


def _pearson(data: DatasetData, counts: Counts) -> Values:
    one, other = _deviations(data.labels, counts), _deviations(data.scores, counts)
    squares = (counts * one**2).sum(axis=1) * (counts * other**2).sum(axis=1)
    correlation: Values = np.clip((counts * one * other).sum(axis=1) / np.sqrt(squares), -1, 1)
    return np.where(_one_value(data.labels, counts) | _one_value(data.scores, counts), np.nan, correlation)


def _deviations(values: Values, counts: Counts) -> Values:
    """Deviations from each resample's mean, scaled to at most 1: one huge outlier must not drown the others."""
    values = values / max(np.abs(values).max(), np.finfo(float).tiny)
    means = counts @ values / counts.sum(axis=1)
    deviations = np.where(counts > 0, values - means[:, None], 0)
    scaled: Values = deviations / np.abs(deviations).max(axis=1, keepdims=True)
    return scaled


def _one_value(values: Values, counts: Counts) -> npt.NDArray[np.bool_]:
    """Whether all cases of a resample have the same value; rounding alone would hide it in the variance."""
    highest = np.where(counts > 0, values, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(counts > 0, values, np.inf).min(axis=1, initial=np.inf)
    same: npt.NDArray[np.bool_] = highest <= lowest
    return same


def _fairness(data: DatasetData, counts: Counts, of: str) -> Values:
    """Mean over variables of 1 − (max − min over groups); groups and variables without a value left out."""
    evenness = [_evenness(data, counts, groups, of) for groups in data.groups.values()]
    return _mean_of_finite(np.array(evenness)) if evenness else np.full(len(counts), np.nan)


def _evenness(data: DatasetData, counts: Counts, groups: Sequence[str | None], of: str) -> Values:
    metric = lookup(of)
    if not isinstance(metric, DatasetMetric):
        raise TypeError(f"fairness compares per-dataset metrics, and {of} is none")
    highest, lowest = np.full(len(counts), -np.inf), np.full(len(counts), np.inf)
    for group in sorted({one for one in groups if one is not None}):
        members = np.array([one == group for one in groups])
        part = DatasetData(data.labels[members], data.scores[members])
        values = replicates(metric, metric.parse({}), of, part, counts[:, members])
        highest, lowest = np.fmax(highest, values), np.fmin(lowest, values)
    return np.where(highest >= lowest, 1 - (highest - lowest), np.nan)


_WEIGHTED: dict[str, Weighted] = {
    "auroc": _binary_auroc,
    "macro_f1": _macro_f1,
    "mae": _mae,
    "ovr_auroc": _ovr_auroc,
    "pearson": _pearson,
}
