"""Intervals of metrics that resamples cannot tell of: shares of few cases, precision, sums of absolute deviations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics._plugin import DatasetData, Draws
from evaluator.metrics.calibration import bin_of
from evaluator.metrics.intervals import LOGIT, MetricInterval, Pair
from evaluator.metrics.weighted import average_precisions

BINNED = (
    "Bins of few cases make it larger than it is, and resamples more so: an interval of them would miss it."
)


@dataclass(frozen=True)
class Share:
    """A share with the number of independent cases that it is as sure as."""

    value: float
    cases: float

    def wilson(self, level: float) -> Pair:
        """Wilson's score interval (JASA 1927;22:209), which is no point where all cases or none count."""
        z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
        centre = (self.value + z2 / (2 * self.cases)) / (1 + z2 / self.cases)
        inner = self.value * (1 - self.value) / self.cases + z2 / (4 * self.cases**2)
        reach = math.sqrt(z2 * inner) / (1 + z2 / self.cases)
        return centre - reach, centre + reach


def share_of(counts: NDArray[np.bool_], units: NDArray[np.intp]) -> Share:
    """The share of cases that count, shape (cases,), where those of one unit are no independent witnesses.

    The number of cases is divided by the design effect, the variance between units over that of single cases; where
    nothing varies a unit is one case.
    """
    value = float(counts.mean())
    apart = counts - value
    within = float((apart**2).sum())
    numbers = np.unique(units, return_inverse=True)[1]
    together = float((np.bincount(numbers, apart) ** 2).sum())
    if within <= 1e-12:
        return Share(value, float(numbers.max() + 1))
    return Share(value, len(counts) / max(together / within, 1.0))


def mean_of_shares(shares: Sequence[Share], level: float) -> MetricInterval:
    """The mean of shares of separate cases: Wilson's intervals joined by MOVER (Zou and Donner 2008;27:1693)."""
    ends = np.array([share.wilson(level) for share in shares])
    values = np.array([share.value for share in shares])
    value = float(values.mean())
    low, high = (float(np.sqrt(((values - end) ** 2).sum())) / len(shares) for end in ends.T)
    return MetricInterval(max(value - low, 0.0), min(value + high, 1.0), method="wilson")


def of_balanced_accuracy(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval:
    called = (data.scores >= parameters.threshold).astype(np.intp)
    return _of_recalls(data.labels, called, draws)


def of_sensitivity(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval:
    return _of_calls(data.labels == 1, data.scores >= parameters.threshold, draws)


def of_specificity(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval:
    return _of_calls(data.labels == 0, data.scores < parameters.threshold, draws)


def _of_calls(cases: NDArray[np.bool_], right: NDArray[np.bool_], draws: Draws) -> MetricInterval:
    return mean_of_shares([share_of(right[cases], draws.units[cases])], draws.level)


def of_macro_recall(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval:
    return _of_recalls(data.labels, data.scores.argmax(axis=1), draws)


def _of_recalls(labels: NDArray[Any], called: NDArray[np.intp], draws: Draws) -> MetricInterval:
    shares = [
        share_of(called[labels == number] == number, draws.units[labels == number])
        for number in np.unique(labels)
    ]
    return mean_of_shares(shares, draws.level)


def of_f1(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval | None:
    """F1 is 2J/(1 + J) of the share J of hits among the cases that are or are called positive; None without any."""
    positive, called = data.labels == 1, data.scores >= parameters.threshold
    either = positive | called
    if not either.any():
        return None
    ends = share_of((positive & called)[either], draws.units[either]).wilson(draws.level)
    low, high = (2 * end / (1 + end) for end in ends)
    return MetricInterval(max(low, 0.0), min(high, 1.0), method="wilson")


def of_auprc(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval | None:
    return _of_precision(data.labels[:, None] == 1, data.scores[:, None], draws)


def of_ovr_auprc(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval | None:
    columns = [1] if data.scores.shape[1] == 2 else list(range(data.scores.shape[1]))
    return _of_precision(data.labels[:, None] == columns, data.scores[:, columns], draws)


def _of_precision(own: NDArray[np.bool_], scores: NDArray[np.float64], draws: Draws) -> MetricInterval | None:
    """None where all positives come first, else on the logit scale.

    The variance is θ(1 − θ)/m for m positives (Boyd, Eng and Page, ECML PKDD 2013), or that of the
    resamples where it is larger.
    """
    usable = own.any(axis=0) & ~own.all(axis=0)
    areas = [
        average_precisions(own[:, k], scores[:, k], np.ones((1, len(own))))[0] for k in np.flatnonzero(usable)
    ]
    sizes = [len(np.unique(draws.units[own[:, k]])) for k in np.flatnonzero(usable)]
    variance = (
        sum(area * (1 - area) / size for area, size in zip(areas, sizes, strict=True)) / len(areas) ** 2
    )
    value = float(np.mean(areas))
    error = max(math.sqrt(variance), draws.error)
    if not 0 < value < 1 or LOGIT.scale is None:
        return None
    reach = NormalDist().inv_cdf((1 + draws.level) / 2) * error * LOGIT.scale.slope(value)
    centre = LOGIT.scale.to(value)
    return MetricInterval(LOGIT.scale.back(centre - reach), LOGIT.scale.back(centre + reach), method="logit")


def of_parts(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval:
    """None: both parts of the Brier score come out too large with few cases in a bin, and in resamples once more."""
    return MetricInterval(note=BINNED)


def of_calibration(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval:
    return _of_deviations([(data.labels.astype(float), data.scores)], parameters.bins, draws)


def of_ovr_calibration(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval:
    rows = [((data.labels == k).astype(float), data.scores[:, k]) for k in range(data.scores.shape[1])]
    return _of_deviations(rows, parameters.bins, draws)


def _of_deviations(
    pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], bins: int, draws: Draws
) -> MetricInterval:
    """|Σ|a| − Σ|b|| ≤ Σ|a − b|: as far from the value as the bins' sums lie from their own in resamples.

    The error of calibration itself is too large in small samples, and larger still in their resamples.
    """
    apart, value = np.zeros(len(draws.counts)), 0.0
    cases, units = draws.counts.shape[1], len(np.unique(draws.units))
    for labels, scores in pairs:
        excess = np.eye(bins)[bin_of(scores, bins)] * (scores - labels)[:, None] / cases
        value += float(np.abs(excess.sum(axis=0)).sum()) / len(pairs)
        apart += np.abs(draws.counts @ excess - excess.sum(axis=0)).sum(axis=1) / len(pairs)
    reach = float(np.quantile(apart, draws.level)) * math.sqrt(units / max(units - 1, 1))
    return MetricInterval(max(value - reach, 0.0), min(value + reach, 1.0), method="deviations")
