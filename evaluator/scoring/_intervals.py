"""The interval of a value, and what it does not tell."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, DatasetMetric, Draws, MetricPlugin, NotScored
from evaluator.metrics.intervals import Estimate, MetricInterval
from evaluator.metrics.weighted import mean_of_finite
from evaluator.resampling import is_drawn
from evaluator.scoring._report import MetricReport
from evaluator.scoring._units import unit_influence
from evaluator.scoring._values import Sample

EXACT = (
    "All cases of one class are above, below or level with all others, so no resample differs: the interval is an "
    "exact bound from the number of independent pairs instead."
)
UNVARYING = "The value is the same in every resample, so no interval can be estimated."
UNDRAWN = "No stratum has two subjects to draw from, so there is no interval."
ALONE = (
    "A class is that of a single subject or site: nothing tells how much another one would move the value, so there is "
    "no interval."
)
FEW = "A class has {count} subjects only: in simulations such intervals held the truth in 85 to 90 of 100."
_ENOUGH = 5
ONE_SITE = "Whole sites are drawn and all cases are of one, so there is no interval; it takes cases of several sites."
FEW_SITES = (
    "Whole sites are drawn and there are only {sites}, which tell little of how far sites differ: such an interval may "
    "be very wide, and stays uncertain however many cases they have."
)
_FEW = 4  # Student's t goes 3.2 standard errors from there, 4.3 from three sites and 12.7 from two
UNGROUPED = (
    "Resampling adds chance differences between groups, and the groups of this metric have no intervals that could "
    "be joined, so there is no interval."
)
OUTSIDE = (
    "The value lies outside its interval: resampling shifts this metric, so the interval says how much the "
    "value varies, not where it lies."
)
_ROUNDING = 1e-9  # a mean of ones may be 1 + 2e-16

_Values = npt.NDArray[np.float64]


def said_of(value: float, bounds: MetricInterval, note: str | None = None) -> str | None:
    """What an interval does not tell; where the value lies outside of it there always is a sentence.

    `note` is said of every interval of a metric, and explains a value outside of it.
    """
    if bounds.low is None or bounds.high is None:
        return bounds.note
    outside = not bounds.low - _ROUNDING <= value <= bounds.high + _ROUNDING
    sentences = [bounds.note, note or (OUTSIDE if outside else None)]
    return " ".join(sentence for sentence in sentences if sentence is not None) or None


Exact = Callable[[float], tuple[float, float] | None]
"""The bounds at a level of a value that no resample changes, None if they are unknown."""


def interval_of(
    plugin: MetricPlugin,
    value: float,
    replicates: _Values,
    sample: Sample,
    influence: _Values | None = None,
    *,
    exact: Exact | None = None,
) -> MetricInterval:
    """The interval of a metric as its row says; where all replicates are the same, what `exact` gives.

    influence: per case, shape (cases,).
    """
    finite = replicates[np.isfinite(replicates)]
    if not is_drawn(sample.counts):
        return undrawn(sample)
    if not len(finite):
        return MetricInterval()
    if np.ptp(finite) <= 1e-12 * np.abs(finite).max():
        known = None if exact is None else exact(sample.level)
        return MetricInterval(note=UNVARYING) if known is None else MetricInterval(*known, EXACT, "exact")
    if plugin.interval.method == "groups":
        return MetricInterval(note=UNGROUPED)
    units = len(np.unique(sample.units))
    psi = None if influence is None else _of_units(influence, sample)
    estimate = Estimate(value, finite, psi, units, plugin.minimum, plugin.maximum)
    found = with_sites(plugin.interval.bounds(estimate, sample.level), sample)
    absent = len(replicates) - len(finite)
    if not absent:
        return found
    said = f"Undefined in {absent:,} of {len(replicates):,} resamples, which are left out."
    return MetricInterval(found.low, found.high, " ".join(filter(None, [said, found.note])), found.method)


def undrawn(sample: Sample) -> MetricInterval:
    """What stands instead of an interval where every draw is the data."""
    return MetricInterval(note=UNDRAWN if sample.sites is None else ONE_SITE)


def with_sites(bounds: MetricInterval, sample: Sample) -> MetricInterval:
    """The interval with a sentence on whole sites where they are few."""
    if sample.sites is None or sample.sites > _FEW or bounds.low is None:
        return bounds
    return replace(bounds, note=" ".join(filter(None, [bounds.note, FEW_SITES.format(sites=sample.sites)])))


def _of_units(influence: _Values, sample: Sample) -> _Values | None:
    if not np.isfinite(influence).all():
        return None
    return unit_influence(influence, sample.units, sample.classes)


def exact_of(metric: DatasetMetric, data: DatasetData, units: npt.NDArray[np.intp]) -> Exact | None:
    """The exact bounds of `metric` where it has some; units: the subject of each case."""
    return None if metric.exact is None else partial(metric.exact, data, units)


def influence_of(plugin: DatasetMetric, data: DatasetData, parameters: Any) -> _Values | None:
    """How much each case moves the metric, shape (cases,), or None where that is unknown."""
    if plugin.influence is None:
        return None
    try:
        with np.errstate(all="ignore"):  # huge outputs overflow; what is not finite is not reported
            found: _Values | None = plugin.influence(data, parameters)
    except NotScored:
        return None
    return found


def dataset_interval(
    plugin: DatasetMetric, value: float, data: DatasetData, parameters: Any, sample: Sample
) -> tuple[_Values, _Values | None, MetricInterval]:
    """Replicates, influence per case and interval of a metric of whole datasets that has a value."""
    return mean_interval(plugin, value, [data], parameters, sample)


def mean_interval(
    plugin: DatasetMetric, value: float, data: Sequence[DatasetData], parameters: Any, sample: Sample
) -> tuple[_Values, _Values | None, MetricInterval]:
    """As `dataset_interval`, of the mean of a metric over several sets of scores of the same cases."""
    drawn = mean_of_finite(np.array([plugin.replicates(one, sample.counts, parameters) for one in data]))
    known = [influence_of(plugin, one, parameters) for one in data]
    vectors = [vector for vector in known if vector is not None]
    influence = np.mean(vectors, axis=0) if len(vectors) == len(data) else None
    found = None
    if plugin.own_interval is not None and is_drawn(sample.counts) and np.isfinite(drawn).any():
        draws = Draws(sample.counts, sample.units, sample.level, float(np.nanstd(drawn)))
        own = _mean_of_intervals([plugin.own_interval(one, parameters, draws) for one in data])
        found = own and with_sites(own, sample)
    exact = exact_of(plugin, data[0], sample.units)
    if found is None:
        found = interval_of(plugin, value, drawn, sample, influence, exact=exact)
    return drawn, influence, _of_few(found, sample) if plugin.own_interval is None else found


def _of_few(bounds: MetricInterval, sample: Sample) -> MetricInterval:
    """What is left of an interval where the smallest class has so few subjects; exact bounds count pairs themselves."""
    if bounds.method == "exact" or sample.fewest >= _ENOUGH or bounds.pair is None:
        return bounds
    if sample.fewest < 2:
        return MetricInterval(note=ALONE)
    if sample.sites is not None:
        return bounds
    return replace(bounds, note=" ".join(filter(None, [bounds.note, FEW.format(count=sample.fewest)])))


def _mean_of_intervals(found: Sequence[MetricInterval | None]) -> MetricInterval | None:
    """The means of the ends, as if all were wrong in the same direction; what one lacks the mean lacks, too."""
    lows, highs = [], []
    for bounds in found:
        if bounds is None or bounds.low is None or bounds.high is None:
            return bounds
        lows.append(bounds.low)
        highs.append(bounds.high)
    first = found[0]
    return first and replace(first, low=float(np.mean(lows)), high=float(np.mean(highs)))


def metric_report(
    value: float,
    replicates: _Values,
    sample: Sample,
    bounds: MetricInterval,
    influence: _Values | None = None,
    *,
    note: str | None = None,
) -> MetricReport:
    """The report of a metric; a value, or a replicate, that is not finite is undefined.

    Where no draw differs from the data there is neither an interval nor are there replicates, and so it is where a
    class has a single subject. `influence` is given per case, shape (cases,), and reported per unit. `note`: see
    `said_of`.
    """
    if not np.isfinite(value):
        return MetricReport(value=None, reason="The metric is not a finite number for these outputs.")
    known = is_drawn(sample.counts) and sample.fewest > 1
    drawn = replicates if known else ()
    kept = tuple(float(value) if np.isfinite(value) else None for value in drawn)
    moved = None
    if influence is not None and sample.fewest > 1 and (found := _of_units(influence, sample)) is not None:
        moved = tuple(found.tolist())
    report = MetricReport(value=value, replicates=kept, influence=moved)
    return with_bounds(report, bounds, note)


def with_bounds(report: MetricReport, bounds: MetricInterval, note: str | None) -> MetricReport:
    """A report that has a value with another interval; `note`: see `said_of`."""
    said = None if report.value is None else said_of(report.value, bounds, note)
    ends = {"low": bounds.low, "high": bounds.high}
    return report.model_copy(update={**ends, "interval_method": bounds.method, "interval_note": said})
