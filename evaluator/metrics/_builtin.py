"""The built-in metrics: one frozen row each; adding a metric adds a row."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from evaluator.metrics._errors import NotScored
from evaluator.metrics._plugin import (
    CaseData,
    CaseMetric,
    DatasetData,
    DatasetMetric,
    MetricPlugin,
    Parameters,
)
from evaluator.metrics.classification import auroc, macro_f1, ovr_auroc
from evaluator.metrics.fairness import fairness
from evaluator.metrics.overlap import dice
from evaluator.metrics.regression import mae, pearson
from evaluator.metrics.surface import surface_dice

_Labels = Annotated[tuple[int, ...], Field(min_length=1)]
_UnitInterval = Annotated[float, Field(ge=0, le=1)]


class _Dice(Parameters):
    """labels: averaged over; both_empty: the value of a label that neither map has."""

    labels: _Labels
    both_empty: _UnitInterval = 1.0


class _SurfaceDice(Parameters):
    """labels and both_empty as for Dice; tolerance_mm: largest distance of surfaces that agree."""

    labels: _Labels
    tolerance_mm: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    both_empty: _UnitInterval = 0.0


class _Mae(Parameters):
    """missing: the prediction that stands for a missing output."""

    missing: Annotated[float, Field(allow_inf_nan=False)] = 100.0


class _Pearson(Parameters):
    """missing: the prediction that stands for a missing output."""

    missing: Annotated[float, Field(allow_inf_nan=False)] = -100.0


class _Fairness(Parameters):
    """of: the per-dataset metric, between 0 and 1, that is compared between groups."""

    of: str


def _dice(case: CaseData, parameters: _Dice) -> float:
    return _mean_over_labels(
        case, parameters.labels, lambda a, b: dice(a, b, both_empty=parameters.both_empty)
    )


def _surface_dice(case: CaseData, parameters: _SurfaceDice) -> float:
    def of_label(a: Any, b: Any) -> float:
        return surface_dice(
            a,
            b,
            spacing_mm=case.spacing_mm,
            tolerance_mm=parameters.tolerance_mm,
            both_empty=parameters.both_empty,
        )

    return _mean_over_labels(case, parameters.labels, of_label)


def _mean_over_labels(case: CaseData, labels: Sequence[int], value: Callable[[Any, Any], float]) -> float:
    return float(np.mean([value(case.prediction == label, case.reference == label) for label in labels]))


def _fairness(data: DatasetData, parameters: _Fairness) -> float:
    metric, inner = _compared(parameters)
    values: dict[str, dict[str, float | None]] = {}
    for variable, groups in data.groups.items():
        names = sorted({name for name in groups if name is not None})
        values[variable] = {}
        for name in names:
            members = np.array([group == name for group in groups], dtype=bool)
            try:
                part = DatasetData(data.labels[members], data.scores[members])
                values[variable][name] = metric.score(part, inner)
            except NotScored:
                values[variable][name] = None
    return fairness(values)


def _compared(parameters: _Fairness) -> tuple[DatasetMetric, Any]:
    # Here, because the registry is built from this module's table.
    from evaluator.metrics.registry import lookup

    metric = lookup(parameters.of)
    if not isinstance(metric, DatasetMetric) or metric.minimum < 0 or metric.maximum > 1:
        raise ValueError(f"fairness compares per-dataset metrics from 0 to 1, and {parameters.of} is none")
    return metric, metric.parse({})


def _as_compared(label: float, classes: int, parameters: _Fairness) -> Sequence[float]:
    metric, inner = _compared(parameters)
    return metric.replacement(label, classes, inner)


def _opposite_score(label: float, classes: int, parameters: Parameters) -> Sequence[float]:
    return [0.0 if label == 1 else 1.0]


def _fixed(label: float, classes: int, parameters: Any) -> Sequence[float]:
    return [parameters.missing]


def _anything_but_true(label: float, classes: int, parameters: Parameters) -> Sequence[float]:
    return [0.0 if index == int(label) else 1.0 / (classes - 1) for index in range(classes)]


def _next_class(label: float, classes: int, parameters: Parameters) -> Sequence[float]:
    return [1.0 if index == (int(label) + 1) % classes else 0.0 for index in range(classes)]


def _of_arrays(function: Callable[[Any, Any], float]) -> Callable[[DatasetData, Any], float]:
    return lambda data, _: function(data.labels, data.scores)


_ALL: tuple[MetricPlugin, ...] = (
    CaseMetric("dice", "higher", 0, 1, 0, _Dice, _dice),
    CaseMetric("surface_dice", "higher", 0, 1, 0, _SurfaceDice, _surface_dice),
    DatasetMetric("auroc", "higher", 0, 1, 0, Parameters, _of_arrays(auroc), _opposite_score),
    DatasetMetric("ovr_auroc", "higher", 0, 1, 0, Parameters, _of_arrays(ovr_auroc), _anything_but_true),
    DatasetMetric("macro_f1", "higher", 0, 1, 0, Parameters, _of_arrays(macro_f1), _next_class),
    DatasetMetric("mae", "lower", 0, math.inf, math.inf, _Mae, _of_arrays(mae), _fixed),
    DatasetMetric("pearson", "higher", -1, 1, -1, _Pearson, _of_arrays(pearson), _fixed),
    DatasetMetric("fairness", "higher", 0, 1, 0, _Fairness, _fairness, _as_compared),
)

BUILT_IN = {metric.name: metric for metric in _ALL}
"""Every built-in metric by its name."""
