"""A metric in every resample: its weighted form where there is one, else the metric of the repeated cases."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, NotScored
from evaluator.metrics.registry import DatasetMetric, lookup
from evaluator.resampling import Counts
from evaluator.scoring._weighted import WEIGHTED, mean_of_finite, weighted_mean

__all__ = ["disparities", "replicates", "weighted_mean"]

Values = npt.NDArray[np.float64]

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
    if name in WEIGHTED:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.concatenate([WEIGHTED[name](data, block, parameters) for block in _blocks(counts)])
    return np.array([_repeated(metric, parameters, data, row) for row in counts])


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


def _fairness(data: DatasetData, counts: Counts, of: str) -> Values:
    """Mean over variables of 1 − disparity; variables without a value left out."""
    found = [
        1 - disparities(data, [counts * one for one in _members(groups)], of)
        for groups in data.groups.values()
        if any(one is not None for one in groups)  # a variable that nobody has a value of compares nothing
    ]
    return mean_of_finite(np.array(found)) if found else np.full(len(counts), np.nan)


def _members(groups: Sequence[str | None]) -> list[Values]:
    """Per group, in the order of names: 1 for its members, 0 for others, shape (cases,)."""
    names = sorted({one for one in groups if one is not None})
    return [np.array([one == name for one in groups], dtype=float) for name in names]


def disparities(data: DatasetData, counts_by_group: Sequence[Counts], of: str) -> Values:
    """Largest minus smallest value of metric `of` over groups, per row of counts; NaN where no group has one.

    Each group has counts of shape (rows, cases) that are 0 outside the group.
    """
    metric = lookup(of)
    if not isinstance(metric, DatasetMetric):
        raise TypeError(f"fairness compares per-dataset metrics, and {of} is none")
    rows = len(counts_by_group[0]) if counts_by_group else 0
    highest, lowest = np.full(rows, -np.inf), np.full(rows, np.inf)
    for counts in counts_by_group:
        used = counts.any(axis=0)
        part = DatasetData(data.labels[used], data.scores[used])
        values = replicates(metric, metric.parse({}), of, part, counts[:, used])
        highest, lowest = np.fmax(highest, values), np.fmin(lowest, values)
    with np.errstate(invalid="ignore"):
        return np.where(highest >= lowest, highest - lowest, np.nan)
