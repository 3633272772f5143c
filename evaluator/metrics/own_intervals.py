"""Intervals of metrics that resamples cannot tell of: shares of few cases, precision, sums of absolute deviations."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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


_UNBOUND = (
    "The class whose share is held has so few cases that they do not bound the threshold on both sides."
)


@dataclass(frozen=True)
class Share:
    """A share with the number of independent cases that it is as sure as; whether that was estimated."""

    value: float
    cases: float
    estimated: bool = False

    def wilson(self, level: float, *, few: bool = False) -> Pair:
        """Wilson's score interval (JASA 1927;22:209), which is no point where all cases or none count.

        few: with Student's quantile, where ends of few cases lead to others, as it is where `cases` is estimated.
        """
        from scipy.special import stdtrit

        part = (1 + level) / 2
        z2 = (
            float(stdtrit(max(self.cases - 1, 1), part))
            if few or self.estimated
            else NormalDist().inv_cdf(part)
        ) ** 2
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
    return Share(value, len(counts) / max(together / within, 1.0), estimated=numbers.max() + 1 < len(counts))


def mean_of_shares(shares: Sequence[Share], level: float) -> MetricInterval:
    """The mean of shares of separate cases: Wilson's intervals joined by MOVER (Zou and Donner 2008;27:1693)."""
    value = float(np.mean([share.value for share in shares]))
    ends = [[value + (end - share.value) / len(shares) for end in share.wilson(level)] for share in shares]
    return _joined(value, ends)


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


def of_mcc(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval | None:
    return _of_margins(_correlation, data, parameters, draws)


def of_kappa(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval | None:
    return _of_margins(_agreement, data, parameters, draws)


def _of_margins(
    of: Callable[[Sequence[float]], float], data: DatasetData, parameters: Any, draws: Draws
) -> MetricInterval | None:
    """A function of sensitivity, specificity and the share of label 1; None where a label is missing.

    The ends that one of them alone gives, at Wilson's for it, are joined by MOVER. The share of label 1 is certain
    where every resample has the same.
    """
    positive, called = data.labels == 1, data.scores >= parameters.threshold
    if not 0 < positive.sum() < len(positive):
        return None
    shares = [
        share_of(called[positive], draws.units[positive]),
        share_of(~called[~positive], draws.units[~positive]),
        share_of(positive, draws.units),
    ]
    values = [share.value for share in shares]
    varying = shares if np.ptp(draws.counts @ positive) > 0 else shares[:-1]
    ends = [
        [of([*values[:number], end, *values[number + 1 :]]) for end in share.wilson(draws.level, few=True)]
        for number, share in enumerate(varying)
    ]
    return _joined(of(values), ends, least=-1.0)


def _correlation(shares: Sequence[float]) -> float:
    sensitivity, specificity, share = shares
    called = share * sensitivity + (1 - share) * (1 - specificity)
    spread = share * (1 - share) * called * (1 - called)
    return share * (1 - share) * (sensitivity + specificity - 1) / math.sqrt(spread) if spread > 0 else 0.0


def _agreement(shares: Sequence[float]) -> float:
    sensitivity, specificity, share = shares
    called = share * sensitivity + (1 - share) * (1 - specificity)
    chance = share * called + (1 - share) * (1 - called)
    return (share * sensitivity + (1 - share) * specificity - chance) / (1 - chance) if chance < 1 else 0.0


def of_sensitivity_at_specificity(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval | None:
    positive = data.labels == 1
    held, other = (~positive, -data.scores), (positive, -data.scores)
    return _at(parameters.specificity, held, other, draws)


def of_specificity_at_sensitivity(data: DatasetData, parameters: Any, draws: Draws) -> MetricInterval | None:
    positive = data.labels == 1
    return _at(parameters.sensitivity, (positive, data.scores), (~positive, data.scores), draws)


_Class = tuple[NDArray[np.bool_], NDArray[np.float64]]  # its cases, and the scores of all


def _at(least: float, held: _Class, other: _Class, draws: Draws) -> MetricInterval | None:
    """The share of the other class below a threshold that at least so much of the held one reaches.

    The true threshold lies between the two cases of the held class whose ranks are the binomial's quantiles; where
    all of few cases may lie on one side of it, nothing bounds it there. The share of the other class below it has
    Wilson's interval. Both are joined by MOVER.
    """
    cases, scores = other
    kept = -np.sort(-held[1][held[0]])
    if not len(kept) or not cases.any():
        return None

    def below(count: int) -> NDArray[np.bool_]:
        """Which cases of the other class lie below the case of that rank in the held one."""
        edge = np.inf if count < 1 else kept[count - 1] if count <= len(kept) else -np.inf
        return np.asarray(scores[cases] < edge)

    wanted = math.ceil(least * len(kept) - 1e-9)
    share = share_of(below(wanted), draws.units[cases])
    reached = held[1][held[0]] >= kept[max(wanted, 1) - 1]
    few, many = _ranks(least, len(kept), share_of(reached, draws.units[held[0]]).cases, draws.level)
    outer = [float(below(many).mean()), float(below(few).mean())]
    found = _joined(share.value, [outer, share.wilson(draws.level)])
    return replace(found, note=_UNBOUND) if few < 1 or many > len(kept) else found


def _ranks(share: float, cases: int, independent: float, level: float) -> tuple[int, int]:
    """Between which ranks of so many cases the threshold lies that this share of all there are reaches."""
    from scipy.special import bdtrik  # scipy takes as long to import as a case takes to score

    if not 0 < share < 1:
        return round(share * cases), round(share * cases) + 1
    few, many = (bdtrik(part, independent, share) for part in ((1 - level) / 2, (1 + level) / 2))
    return math.floor(few * cases / independent), math.ceil(many * cases / independent) + 1


def _joined(value: float, ends: Sequence[Sequence[float]], least: float = 0.0) -> MetricInterval:
    """Ends to which parts of a value lead, each alone: added as they would be if they were independent (MOVER)."""
    below = math.sqrt(sum(max(value - min(pair), 0.0) ** 2 for pair in ends))
    above = math.sqrt(sum(max(max(pair) - value, 0.0) ** 2 for pair in ends))
    return MetricInterval(max(value - below, least), min(value + above, 1.0), method="wilson")


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
