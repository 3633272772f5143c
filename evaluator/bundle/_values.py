"""Values and intervals of a report made again from what it keeps, where they are functions of that."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluator.metrics import DatasetMetric, MetricPlugin
from evaluator.metrics.intervals import Estimate
from evaluator.metrics.registry import UnknownMetric, lookup
from evaluator.scoring import MetricReport, Report
from evaluator.spec import Bootstrap, Challenge

_AGAIN = frozenset({"logit", "log", "fisher", "bca"})
"""Ways to make an interval that take value, replicates and influence values alone."""


@dataclass(frozen=True)
class MadeAgain:
    """A figure of a metric of a report: `what` it is, as the report has it and as it comes out again."""

    metric: str
    what: str
    kept: float | None
    again: float | None


def made_again(challenge: Challenge, report: Report) -> Iterator[MadeAgain]:
    """The figures of a report that can be made again without outputs and labels.

    The value of a metric of single cases is the mean over those with a value. An interval on a metric's own scale or
    from its resamples follows from value, replicates and influence values, unless seeds of a probe move it too.
    """
    for key, score in report.metrics.items():
        values = report.per_case.get(key)
        if values is not None and score.fault is None:
            yield MadeAgain(key, "value", score.value, _mean(values))
        try:
            plugin = lookup(challenge.boards[report.board].metrics[key].metric)
        except UnknownMetric:
            continue
        if score.interval_method in _AGAIN and _follows(challenge, report, plugin, score):
            low, high = _bounds(challenge, report, plugin, score)
            yield MadeAgain(key, "low", score.low, low)
            yield MadeAgain(key, "high", score.high, high)


def _mean(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _follows(challenge: Challenge, report: Report, plugin: MetricPlugin, score: MetricReport) -> bool:
    """Whether nothing else made the interval."""
    own = isinstance(plugin, DatasetMetric) and plugin.own_interval is not None
    probed = challenge.boards[report.board].probe is not None
    return bool(score.influence and score.replicates) and score.value is not None and not (own or probed)


def _bounds(
    challenge: Challenge, report: Report, plugin: MetricPlugin, score: MetricReport
) -> tuple[float | None, float | None]:
    drawn = np.array([np.nan if value is None else value for value in score.replicates], dtype=np.float64)
    influence = np.array(score.influence, dtype=np.float64)
    estimate = Estimate(
        value=score.value or 0.0,
        replicates=drawn[np.isfinite(drawn)],
        influence=influence,
        units=len(influence),
        least=plugin.minimum,
        most=plugin.maximum,
    )
    how: Bootstrap = report.extras.bootstrap or challenge.boards[report.board].bootstrap
    found = plugin.interval.bounds(estimate, how.level)
    return found.low, found.high
