"""The built-in metrics of whole datasets: one frozen row each; adding a metric adds a row."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluator.metrics import influence
from evaluator.metrics._errors import NotScored
from evaluator.metrics._plugin import DatasetData, DatasetMetric, Parameters
from evaluator.metrics.calibration import brier, calibration_error, ovr_brier, ovr_calibration_error
from evaluator.metrics.classification import (
    auprc,
    auroc,
    balanced_accuracy,
    f1,
    macro_f1,
    macro_recall,
    ovr_auprc,
    ovr_auroc,
)
from evaluator.metrics.fairness import fairness
from evaluator.metrics.regression import mae, pearson, r2, rmse, spearman

T = TypeVar("T")


class _Mae(Parameters):
    """missing: the prediction that stands for a missing output."""

    missing: Annotated[float, Field(allow_inf_nan=False)] = 100.0


class _Pearson(Parameters):
    """missing: the prediction that stands for a missing output."""

    missing: Annotated[float, Field(allow_inf_nan=False)] = -100.0


class _Rmse(_Mae):
    """missing: the prediction that stands for a missing output."""


class _R2(_Mae):
    """missing: the prediction that stands for a missing output."""


class _Spearman(_Pearson):
    """missing: the prediction that stands for a missing output."""


class _Threshold(Parameters):
    """threshold: the score from which on a case counts as positive."""

    threshold: Annotated[float, Field(allow_inf_nan=False)] = 0.5


class _Bins(Parameters):
    """bins: number of bins of equal width from 0 to 1."""

    bins: Annotated[int, Field(ge=1, le=1000)] = 10


class _Fairness(Parameters):
    """of: the per-dataset metric, between 0 and 1, that is compared between groups.

    uninformative: what becomes of fairness where the interval of `of` over all cases does not beat chance, as
    with a constant embedding, whose groups are all equally bad: "ranked" like any other, or "not_scored".
    """

    of: str
    uninformative: Literal["ranked", "not_scored"] = "ranked"


def _fairness(data: DatasetData, parameters: _Fairness) -> float:
    metric, inner = compared(parameters)
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


def compared(parameters: _Fairness) -> tuple[DatasetMetric, Any]:
    """The metric that fairness compares between groups, and its parameters.

    Raises:
        ValueError: it is not one of whole datasets from 0 to 1.
        evaluator.metrics.registry.UnknownMetric: there is none.
    """
    # Here, because the registry is built from this module's table.
    from evaluator.metrics.registry import lookup

    metric = lookup(parameters.of)
    if not isinstance(metric, DatasetMetric) or metric.minimum < 0 or metric.maximum > 1:
        raise ValueError(f"fairness compares per-dataset metrics from 0 to 1, and {parameters.of} is none")
    return metric, metric.parse({})


def _as_compared(label: float, classes: int, parameters: _Fairness) -> Sequence[float]:
    metric, inner = compared(parameters)
    return metric.replacement(label, classes, inner)


def _opposite(label: float, classes: int, parameters: Parameters) -> Sequence[float]:
    return [0.0 if label == 1 else 1.0]


def _fixed(label: float, classes: int, parameters: Any) -> Sequence[float]:
    return [parameters.missing]


def _anything_but_true(label: float, classes: int, parameters: Parameters) -> Sequence[float]:
    return [0.0 if index == int(label) else 1.0 / (classes - 1) for index in range(classes)]


def _next_class(label: float, classes: int, parameters: Parameters) -> Sequence[float]:
    return [1.0 if index == (int(label) + 1) % classes else 0.0 for index in range(classes)]


def _of_arrays(function: Callable[[Any, Any], T]) -> Callable[[DatasetData, Any], T]:
    return lambda data, _: function(data.labels, data.scores)


def _called(function: Callable[..., float]) -> Callable[[DatasetData, Any], float]:
    return lambda data, parameters: function(data.labels, data.scores, **parameters.model_dump())


def _of_errors(labels: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return influence.of_mean(np.abs(scores - labels))


def _of_squares(labels: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return influence.of_mean((scores - labels) ** 2)


def _of_called(data: DatasetData, parameters: _Threshold) -> NDArray[np.float64]:
    called = (data.scores >= parameters.threshold).astype(np.intp)
    return influence.of_macro_recall(data.labels, np.eye(2)[called])


def _of_rows(labels: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return influence.of_mean(((scores - np.eye(scores.shape[1])[labels.astype(np.intp)]) ** 2).mean(axis=1))


_BINARY = (  # one score per case
    DatasetMetric(
        "auroc", "higher", 0, 1, 0, Parameters, _called(auroc), _opposite, _of_arrays(influence.of_auroc)
    ),
    DatasetMetric("auprc", "higher", 0, 1, 0, Parameters, _called(auprc), _opposite),
    DatasetMetric(
        "balanced_accuracy", "higher", 0, 1, 0, _Threshold, _called(balanced_accuracy), _opposite, _of_called
    ),
    DatasetMetric("f1", "higher", 0, 1, 0, _Threshold, _called(f1), _opposite),
    DatasetMetric("brier", "lower", 0, 1, 1, Parameters, _called(brier), _opposite, _of_arrays(_of_squares)),
    DatasetMetric("calibration_error", "lower", 0, 1, 1, _Bins, _called(calibration_error), _opposite),
)

_CLASSES = (  # one score per case and class
    DatasetMetric(
        "ovr_auroc", "higher", 0, 1, 0, Parameters,
        _called(ovr_auroc), _anything_but_true, _of_arrays(influence.of_ovr_auroc),
    ),
    DatasetMetric("ovr_auprc", "higher", 0, 1, 0, Parameters, _called(ovr_auprc), _anything_but_true),
    DatasetMetric(
        "macro_recall", "higher", 0, 1, 0, Parameters,
        _called(macro_recall), _next_class, _of_arrays(influence.of_macro_recall),
    ),
    DatasetMetric(
        "macro_f1", "higher", 0, 1, 0, Parameters,
        _called(macro_f1), _next_class, _of_arrays(influence.of_macro_f1),
    ),
    DatasetMetric(
        "ovr_brier", "lower", 0, 1, 1, Parameters, _called(ovr_brier), _next_class, _of_arrays(_of_rows)
    ),
    DatasetMetric("ovr_calibration_error", "lower", 0, 1, 1, _Bins, _called(ovr_calibration_error), _next_class),
    DatasetMetric("fairness", "higher", 0, 1, 0, _Fairness, _fairness, _as_compared),
)  # fmt: skip

_NUMBERS = (
    DatasetMetric("mae", "lower", 0, math.inf, math.inf, _Mae, _of_arrays(mae), _fixed, _of_arrays(_of_errors)),
    DatasetMetric(
        "rmse", "lower", 0, math.inf, math.inf, _Rmse, _of_arrays(rmse), _fixed, _of_arrays(influence.of_rmse)
    ),
    DatasetMetric(
        "r2", "higher", -math.inf, 1, -math.inf, _R2, _of_arrays(r2), _fixed, _of_arrays(influence.of_r2)
    ),
    DatasetMetric(
        "pearson", "higher", -1, 1, -1, _Pearson, _of_arrays(pearson), _fixed, _of_arrays(influence.of_pearson)
    ),
    DatasetMetric("spearman", "higher", -1, 1, -1, _Spearman, _of_arrays(spearman), _fixed),
)  # fmt: skip

BINARY = frozenset(one.name for one in _BINARY)
"""The metrics whose labels are 0 or 1."""

DATASET_METRICS = (*_BINARY, *_CLASSES, *_NUMBERS)
