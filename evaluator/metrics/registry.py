"""Finds a metric by name: built in, installed as an entry point, or written as `package.module:object`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from threading import RLock
from typing import Any

import numpy as np

from evaluator.metrics._of_cases import CASE_METRICS
from evaluator.metrics._of_datasets import DATASET_METRICS
from evaluator.metrics._plugin import CaseMetric, DatasetMetric, MetricPlugin
from evaluator.metrics.fairness import INTERVAL_NOTE, BetweenGroups, Comparison

GROUP = "evaluator.metrics"
"""Entry point group; an entry point is a `CaseMetric` or a `DatasetMetric`."""


class UnknownMetric(Exception):  # noqa: N818 - reads as what it is at the place that catches it
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
    found = _imported(name) if ":" in name else _installed(name)
    if not isinstance(found, CaseMetric | DatasetMetric):
        raise UnknownMetric(f"{name!r} is neither a CaseMetric nor a DatasetMetric")
    return found


_COMPARISONS = (
    DatasetMetric(
        "fairness", "higher", 0, 1, 0, Comparison, BetweenGroups(lookup).value, BetweenGroups(lookup).replacement,
        weighted=BetweenGroups(lookup).weighted, compares=BetweenGroups(lookup).compared,
        title="fairness", interval_note=INTERVAL_NOTE,
    ),
)  # fmt: skip
"""What compares any other metric, so that it has to find it."""

BUILT_IN: dict[str, MetricPlugin] = {
    metric.name: metric for metric in (*CASE_METRICS, *DATASET_METRICS, *_COMPARISONS)
}
"""Every built-in metric by its name."""


def _installed(name: str) -> Any:
    for entry in entry_points(group=GROUP, name=name):
        try:
            with _IMPORTING, _no_output(), np.errstate():  # a module's np.seterr stays its own
                return entry.load()
        except BaseException as error:  # noqa: BLE001 - a stranger's module may raise anything
            _pass_on_interrupt(error)
            raise UnknownMetric(f"metric {name!r} cannot be imported: {_said(error)}") from None
    raise UnknownMetric(f"there is no metric {name!r}; built in are {', '.join(names())}")


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        with _IMPORTING, _no_output(), np.errstate():  # a module's np.seterr stays its own
            return getattr(import_module(module), attribute)
    except BaseException as error:  # noqa: BLE001 - a stranger's module may raise anything
        _pass_on_interrupt(error)
        raise UnknownMetric(f"metric {name!r} cannot be imported: {_said(error)}") from None


def _pass_on_interrupt(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt):  # whoever waits may press Ctrl-C
        raise error


_IMPORTING = RLock()  # two threads that redirect at once would restore the wrong one


@contextmanager
def _no_output() -> Iterator[None]:
    """What a module prints goes to standard error: standard output may be a report, to be read by a program."""
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        kept = None
    try:
        if kept is not None:
            os.dup2(2, 1)  # for what is written past Python, or by a command that the module runs
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
