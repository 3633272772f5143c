"""The built-in metrics of whole datasets: one frozen row each; adding a metric adds a row."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluator.metrics import influence, own_intervals, weighted
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
from evaluator.metrics.delong import ovr_unvarying_interval, unvarying_interval
from evaluator.metrics.intervals import FISHER, LOG, LOGIT, Pair
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


def _bounded(
    function: Callable[..., Pair | None],
) -> Callable[[DatasetData, NDArray[np.intp], float], Pair | None]:
    return lambda data, units, level: function(data.labels, data.scores, level=level, subjects=units.tolist())


def _of_errors(labels: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return influence.of_mean(np.abs(scores - labels))


def _of_squares(labels: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return influence.of_mean((scores - labels) ** 2)


def _of_called(data: DatasetData, parameters: _Threshold) -> NDArray[np.float64]:
    called = (data.scores >= parameters.threshold).astype(np.intp)
    return influence.of_macro_recall(data.labels, np.eye(2)[called])


def _of_rows(labels: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return influence.of_mean(((scores - np.eye(scores.shape[1])[labels.astype(np.intp)]) ** 2).mean(axis=1))


_BINARY = (
    DatasetMetric(
        "auroc", "higher", 0, 1, 0, Parameters, _called(auroc), _opposite, _of_arrays(influence.of_auroc),
        weighted=weighted.auroc, exact=_bounded(unvarying_interval), test="delong", reads="binary", title="AUROC",
        interval=LOGIT,
    ),
    DatasetMetric(
        "auprc", "higher", 0, 1, 0, Parameters, _called(auprc), _opposite,
        weighted=weighted.auprc, reads="binary", title="average precision",
        own_interval=own_intervals.of_auprc,
    ),
    DatasetMetric(
        "balanced_accuracy", "higher", 0, 1, 0, _Threshold, _called(balanced_accuracy), _opposite, _of_called,
        weighted=weighted.balanced_accuracy, reads="binary", title="balanced accuracy",
        own_interval=own_intervals.of_balanced_accuracy,
    ),
    DatasetMetric(
        "f1", "higher", 0, 1, 0, _Threshold, _called(f1), _opposite,
        weighted=weighted.f1, reads="binary", title="F1",
        own_interval=own_intervals.of_f1,
    ),
    DatasetMetric(
        "brier", "lower", 0, 1, 1, Parameters, _called(brier), _opposite, _of_arrays(_of_squares),
        weighted=weighted.brier, reads="binary", title="Brier score",
    ),
    DatasetMetric(
        "calibration_error", "lower", 0, 1, 1, _Bins, _called(calibration_error), _opposite,
        weighted=weighted.calibration_error, reads="binary", title="calibration error",
        own_interval=own_intervals.of_calibration,
    ),
)  # fmt: skip

_CLASSES = (
    DatasetMetric(
        "ovr_auroc", "higher", 0, 1, 0, Parameters, _called(ovr_auroc), _anything_but_true,
        _of_arrays(influence.of_ovr_auroc),
        weighted=weighted.ovr_auroc, exact=_bounded(ovr_unvarying_interval), reads="classes", title="macro OvR AUROC",
        interval=LOGIT,
    ),
    DatasetMetric(
        "ovr_auprc", "higher", 0, 1, 0, Parameters, _called(ovr_auprc), _anything_but_true,
        weighted=weighted.ovr_auprc, reads="classes", title="macro average precision",
        own_interval=own_intervals.of_ovr_auprc,
    ),
    DatasetMetric(
        "macro_recall", "higher", 0, 1, 0, Parameters, _called(macro_recall), _next_class,
        _of_arrays(influence.of_macro_recall),
        weighted=weighted.macro_recall, reads="classes", title="balanced accuracy",
        own_interval=own_intervals.of_macro_recall,
    ),
    DatasetMetric(
        "macro_f1", "higher", 0, 1, 0, Parameters, _called(macro_f1), _next_class,
        _of_arrays(influence.of_macro_f1),
        weighted=weighted.macro_f1, reads="classes", title="macro F1",
    ),
    DatasetMetric(
        "ovr_brier", "lower", 0, 1, 1, Parameters, _called(ovr_brier), _next_class, _of_arrays(_of_rows),
        weighted=weighted.ovr_brier, reads="classes", title="Brier score",
    ),
    DatasetMetric(
        "ovr_calibration_error", "lower", 0, 1, 1, _Bins, _called(ovr_calibration_error), _next_class,
        weighted=weighted.ovr_calibration_error, reads="classes", title="calibration error",
        own_interval=own_intervals.of_ovr_calibration,
    ),
)  # fmt: skip

_NUMBERS = (
    DatasetMetric(
        "mae", "lower", 0, math.inf, math.inf, _Mae, _of_arrays(mae), _fixed, _of_arrays(_of_errors),
        weighted=weighted.mae, test="t", reads="numbers", title="mean absolute error", interval=LOG,
    ),
    DatasetMetric(
        "rmse", "lower", 0, math.inf, math.inf, _Rmse, _of_arrays(rmse), _fixed, _of_arrays(influence.of_rmse),
        weighted=weighted.rmse, reads="numbers", title="root mean squared error", interval=LOG,
    ),
    DatasetMetric(
        "r2", "higher", -math.inf, 1, -math.inf, _R2, _of_arrays(r2), _fixed, _of_arrays(influence.of_r2),
        weighted=weighted.r2, reads="numbers", title="R²",
    ),
    DatasetMetric(
        "pearson", "higher", -1, 1, -1, _Pearson, _of_arrays(pearson), _fixed,
        _of_arrays(influence.of_pearson),
        weighted=weighted.pearson, reads="numbers", title="Pearson correlation", interval=FISHER,
    ),
    DatasetMetric(
        "spearman", "higher", -1, 1, -1, _Spearman, _of_arrays(spearman), _fixed,
        weighted=weighted.spearman, reads="numbers", title="Spearman correlation",
    ),
)  # fmt: skip

METRICS = (*_BINARY, *_CLASSES, *_NUMBERS)
