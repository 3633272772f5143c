"""The interval of a value, and what it does not tell."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, DatasetMetric
from evaluator.metrics.influence import by_unit
from evaluator.resampling import is_drawn
from evaluator.scoring._report import MetricReport
from evaluator.scoring._values import Sample

EXACT = (
    "All cases of one class are above, below or level with all others, so no resample differs: the interval is an "
    "exact bound from the number of independent pairs instead."
)
UNVARYING = "The value is the same in every resample, so no interval can be estimated."
UNDRAWN = "No stratum has two subjects to draw from, so there is no interval."
OUTSIDE = (
    "The value lies outside its interval: resampling shifts this metric, so the interval says how much the "
    "value varies, not where it lies."
)
_ROUNDING = 1e-9  # a mean of ones may be 1 + 2e-16


@dataclass(frozen=True)
class MetricInterval:
    """An interval, or None twice; a sentence where there is something to say, and how the interval was made."""

    low: float | None = None
    high: float | None = None
    note: str | None = None
    exact: bool = False

    @property
    def method(self) -> Literal["percentile", "exact"] | None:
        """How the interval was made, None where there is none."""
        return None if self.low is None else "exact" if self.exact else "percentile"

    @property
    def pair(self) -> tuple[float, float] | None:
        """Both bounds, or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)


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


def bounds_of(
    replicates: npt.NDArray[np.float64], sample: Sample, exact: Exact | None = None
) -> MetricInterval:
    """The percentile interval of the replicates; where they are all the same, what `exact` gives."""
    interval = sample.interval(replicates)
    if interval is None:
        return MetricInterval() if is_drawn(sample.counts) else MetricInterval(note=UNDRAWN)
    finite = replicates[np.isfinite(replicates)]
    if np.ptp(finite) <= 1e-12 * np.abs(finite).max():
        known = None if exact is None else exact(sample.level)
        return MetricInterval(note=UNVARYING) if known is None else MetricInterval(*known, EXACT, exact=True)
    if len(finite) < len(replicates):
        absent = len(replicates) - len(finite)
        return MetricInterval(
            *interval, f"Undefined in {absent:,} of {len(replicates):,} resamples, which are left out."
        )
    return MetricInterval(*interval)


def exact_of(metric: DatasetMetric, data: DatasetData, units: npt.NDArray[np.intp]) -> Exact | None:
    """The exact bounds of `metric` where it has some; units: the subject of each case."""
    return None if metric.exact is None else partial(metric.exact, data, units)


def metric_report(
    value: float,
    replicates: npt.NDArray[np.float64],
    sample: Sample,
    influence: npt.NDArray[np.float64] | None = None,
    *,
    exact: Exact | None = None,
    note: str | None = None,
) -> MetricReport:
    """The report of a metric; a value, or a replicate, that is not finite is undefined.

    Where no draw differs from the data there is neither an interval nor are there replicates. `influence` is
    given per case, shape (cases,), and reported per unit. `note`: see `said_of`.
    """
    if not np.isfinite(value):
        return MetricReport(value=None, reason="The metric is not a finite number for these outputs.")
    bounds = bounds_of(replicates, sample, exact)
    drawn = replicates if is_drawn(sample.counts) else ()
    kept = tuple(float(value) if np.isfinite(value) else None for value in drawn)
    moved = None
    if influence is not None and np.isfinite(influence).all():
        moved = tuple(by_unit(influence, sample.units).tolist())
    said = said_of(value, bounds, note)
    return MetricReport(
        value=value,
        low=bounds.low,
        high=bounds.high,
        interval_method=bounds.method,
        interval_note=said,
        replicates=kept,
        influence=moved,
    )
