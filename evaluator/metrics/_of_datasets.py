"""The built-in metrics of whole datasets: one frozen row each; adding a metric adds a row."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluator.metrics import influence
from evaluator.metrics._errors import NotScored
from evaluator.metrics._plugin import DatasetData, DatasetMetric, Parameters
from evaluator.metrics.classification import auroc, macro_f1, ovr_auroc
from evaluator.metrics.fairness import fairness
from evaluator.metrics.regression import mae, pearson

T = TypeVar("T")


class _Mae(Parameters):
    """missing: the prediction that stands for a missing output."""

    missing: Annotated[float, Field(allow_inf_nan=False)] = 100.0


class _Pearson(Parameters):
    """missing: the prediction that stands for a missing output."""

    missing: Annotated[float, Field(allow_inf_nan=False)] = -100.0


class _Fairness(Parameters):
    """of: the per-dataset metric, between 0 and 1, that is compared between groups."""

    of: str


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


def _of_arrays(function: Callable[[Any, Any], T]) -> Callable[[DatasetData, Any], T]:
    return lambda data, _: function(data.labels, data.scores)


def _of_errors(labels: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return influence.of_mean(np.abs(scores - labels))


DATASET_METRICS = (
    DatasetMetric(
        "auroc", "higher", 0, 1, 0, Parameters,
        _of_arrays(auroc), _opposite_score, _of_arrays(influence.of_auroc),
    ),
    DatasetMetric(
        "ovr_auroc", "higher", 0, 1, 0, Parameters,
        _of_arrays(ovr_auroc), _anything_but_true, _of_arrays(influence.of_ovr_auroc),
    ),
    DatasetMetric(
        "macro_f1", "higher", 0, 1, 0, Parameters,
        _of_arrays(macro_f1), _next_class, _of_arrays(influence.of_macro_f1),
    ),
    DatasetMetric("mae", "lower", 0, math.inf, math.inf, _Mae, _of_arrays(mae), _fixed, _of_arrays(_of_errors)),
    DatasetMetric(
        "pearson", "higher", -1, 1, -1, _Pearson, _of_arrays(pearson), _fixed, _of_arrays(influence.of_pearson)
    ),
    DatasetMetric("fairness", "higher", 0, 1, 0, _Fairness, _fairness, _as_compared),
)  # fmt: skip
