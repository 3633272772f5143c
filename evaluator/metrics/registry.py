"""Finds a metric by name: built in, installed as an entry point, or written as `package.module:object`."""

from functools import lru_cache
from typing import Any

from evaluator import foreign
from evaluator.metrics import (
    _of_cases,
    _of_datasets,
    agreement,
    concordance_correlation,
    operating_points,
    points,
    probabilities,
    survival,
)
from evaluator.metrics._plugin import CaseMetric, DatasetMetric, MetricPlugin
from evaluator.metrics.fairness import INTERVAL_NOTE, BetweenGroups, GroupComparison
from evaluator.metrics.intervals import GROUPS

GROUP = "evaluator.metrics"
"""Entry point group; an entry point is a `CaseMetric` or a `DatasetMetric`."""


class UnknownMetric(Exception):
    """No usable metric has this name; the message says where was looked."""


def is_built_in(metric: str | MetricPlugin) -> bool:
    """Whether a name in a challenge file, or a row, means code of this package."""
    return metric in BUILT_IN if isinstance(metric, str) else BUILT_IN.get(metric.name) is metric


def names() -> list[str]:
    """The built-in metrics."""
    return sorted(BUILT_IN)


@lru_cache(maxsize=256)
def lookup(name: str) -> MetricPlugin:
    """The metric that a challenge file names.

    Raises:
        UnknownMetric: there is none, or what was found is not a metric.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    plugin = _found(name)
    if not isinstance(plugin, CaseMetric | DatasetMetric):
        raise UnknownMetric(f"{name!r} is neither a CaseMetric nor a DatasetMetric")
    return plugin


_COMPARISONS = (
    DatasetMetric(
        "fairness", "higher", 0, 1, 0, GroupComparison, BetweenGroups(lookup).value, BetweenGroups(lookup).replacement,
        weighted=BetweenGroups(lookup).weighted, compares=BetweenGroups(lookup).compared,
        title="fairness", interval=GROUPS, interval_note=INTERVAL_NOTE,
    ),
)  # fmt: skip
"""What compares any other metric, so that it has to find it."""

TABLES = (
    _of_cases,
    _of_datasets,
    agreement,
    concordance_correlation,
    operating_points,
    points,
    probabilities,
    survival,
)
"""The modules with the rows of metrics, as their `METRICS`."""

BUILT_IN: dict[str, MetricPlugin] = {
    metric.name: metric for metric in (*(row for table in TABLES for row in table.METRICS), *_COMPARISONS)
}
"""Every built-in metric by its name."""


def _found(name: str) -> Any:
    try:
        return foreign.named(name) if ":" in name else foreign.installed(GROUP, name)
    except foreign.Unusable as error:
        raise UnknownMetric(f"metric {name!r} {error}") from None
    except LookupError:
        raise UnknownMetric(f"there is no metric {name!r}; built in are {', '.join(names())}") from None
