"""Finds a metric by name: built in, installed as an entry point, or written as `package.module:object`."""

from functools import lru_cache
from typing import Any

from evaluator import foreign
from evaluator.metrics._builtin import BUILT_IN
from evaluator.metrics._plugin import (
    CaseData,
    CaseMetric,
    DatasetData,
    DatasetMetric,
    Direction,
    MetricPlugin,
    Parameters,
    Scope,
)

__all__ = [
    "GROUP",
    "CaseData",
    "CaseMetric",
    "DatasetData",
    "DatasetMetric",
    "Direction",
    "MetricPlugin",
    "Parameters",
    "Scope",
    "UnknownMetric",
    "is_built_in",
    "lookup",
    "names",
]

GROUP = "evaluator.metrics"
"""Entry point group; an entry point is a `CaseMetric` or a `DatasetMetric`."""


class UnknownMetric(Exception):  # noqa: N818 - reads as what it is at the place that catches it
    """No usable metric has this name; the message says where was looked."""


def is_built_in(name: str) -> bool:
    """Whether a challenge file that names `name` means code of this package."""
    return name in BUILT_IN


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
    found = _found(name)
    if not isinstance(found, CaseMetric | DatasetMetric):
        raise UnknownMetric(f"{name!r} is neither a CaseMetric nor a DatasetMetric")
    return found


def _found(name: str) -> Any:
    try:
        return foreign.named(name) if ":" in name else foreign.installed(GROUP, name)
    except foreign.Unusable as error:
        raise UnknownMetric(f"metric {name!r} {error}") from None
    except LookupError:
        raise UnknownMetric(f"there is no metric {name!r}; built in are {', '.join(names())}") from None
