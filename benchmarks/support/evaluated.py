"""Values with the intervals that the platform's own evaluator gives them, of answers that lie in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics import CaseMetric, DatasetData, DatasetMetric
from evaluator.metrics.influence import of_mean
from evaluator.metrics.registry import lookup
from evaluator.resampling import draw_counts
from evaluator.scoring import Sample, dataset_interval, interval_of

RESAMPLES, LEVEL = 1000, 0.95
Array = NDArray[Any]


@dataclass(frozen=True)
class Evaluated:
    """A value and its 95 % interval over cases; NaN where an end is unknown."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As tables show it."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def of_dataset(metric: str, truth: Array, scores: Array, *, classes: bool) -> Evaluated:
    """A metric of all cases together, as the board of a challenge would show it.

    Args:
        metric: its name in a challenge file.
        truth: shape (n,), classes or numbers.
        scores: shape (n,) or (n, C).
        classes: whether the truth are classes, each of which is resampled by itself.
    """
    plugin = lookup(metric)
    assert isinstance(plugin, DatasetMetric)
    data, parameters = DatasetData(truth, scores), plugin.parse({})
    sample = _sample(truth if classes else np.zeros(len(truth)))
    value = plugin.score(data, parameters)
    bounds = dataset_interval(plugin, value, data, parameters, sample)[2]
    return _evaluated(value, bounds.low, bounds.high)


def of_cases(metric: str, values: Array) -> Evaluated:
    """The mean over cases of a metric of single cases, `values` [n] of it."""
    plugin = lookup(metric)
    assert isinstance(plugin, CaseMetric)
    sample = _sample(np.zeros(len(values)))
    value, drawn = float(values.mean()), sample.counts @ values / len(values)
    bounds = interval_of(plugin, value, drawn, sample, of_mean(values))
    return _evaluated(value, bounds.low, bounds.high)


def dataset_difference(
    metric: str, sets: Sequence[tuple[Array, Array, Array]], *, classes: bool
) -> Evaluated:
    """How much more one arm has of a metric than another on the same cases, the mean over sets of cases.

    Args:
        metric: its name in a challenge file.
        sets: truth, scores of the one and scores of the other; cases are drawn within each, for both arms the same.
        classes: see `of_dataset`.
    """
    plugin = lookup(metric)
    assert isinstance(plugin, DatasetMetric)
    parameters, values, drawn = plugin.parse({}), [], []
    for number, (truth, *arms) in enumerate(sets):
        counts = _sample(truth if classes else np.zeros(len(truth)), f"set {number}").counts
        one, other = (DatasetData(truth, scores) for scores in arms)
        values.append(plugin.score(one, parameters) - plugin.score(other, parameters))
        drawn.append(
            plugin.replicates(one, counts, parameters) - plugin.replicates(other, counts, parameters)
        )
    return _spread(float(np.mean(values)), np.mean(drawn, axis=0))


def case_difference(one: Array, other: Array) -> Evaluated:
    """How much larger values of cases `one` [n] are than `other` of the same cases, on average."""
    apart = one - other
    return _spread(float(apart.mean()), _sample(np.zeros(len(apart))).counts @ apart / len(apart))


def _spread(value: float, drawn: Array) -> Evaluated:
    low, high = np.quantile(drawn[np.isfinite(drawn)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Evaluated(value, float(low), float(high))


def _sample(classes: Array, digest: str = "in memory") -> Sample:
    own = np.arange(len(classes), dtype=np.intp)
    numbers = np.unique(classes, return_inverse=True)[1].astype(np.intp)
    counts = draw_counts(own.tolist(), numbers.tolist(), resamples=RESAMPLES, digest=digest)
    return Sample(counts, own, LEVEL, own, numbers)


def _evaluated(value: float, low: float | None, high: float | None) -> Evaluated:
    nan = float("nan")
    return Evaluated(float(value), nan if low is None else low, nan if high is None else high)
