"""Sensitivity and specificity: at a threshold, and the best of one where the other is held.

A score of at least the threshold says label 1.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluator.metrics import own_intervals
from evaluator.metrics._arrays import binary_scores
from evaluator.metrics._errors import NotScored
from evaluator.metrics._of_datasets import _opposite, _Threshold
from evaluator.metrics._plugin import DatasetData, DatasetMetric, Parameters, Values
from evaluator.metrics.influence import within_classes
from evaluator.resampling import Counts

_EXACTLY = 1e-9  # of a share times a number of cases, which floats may miss
_LACKING = {True: "sensitivity needs a positive case", False: "specificity needs a negative case"}
_BOTH = "sensitivity at a specificity, and specificity at a sensitivity, need cases of both classes"

_Share = Annotated[float, Field(ge=0, le=1)]


class _AtSpecificity(Parameters):
    """specificity: the least that the threshold may have."""

    specificity: _Share


class _AtSensitivity(Parameters):
    """sensitivity: the least that the threshold may have."""

    sensitivity: _Share


def sensitivity(data: DatasetData, counts: Counts, parameters: _Threshold) -> Values:
    """Share of the label's 1 that is called so, per row of counts; NaN where no case has it."""
    return _recall(data, counts, parameters, of=True)


def specificity(data: DatasetData, counts: Counts, parameters: _Threshold) -> Values:
    """Share of the label's 0 that is called so, per row of counts; NaN where no case has it."""
    return _recall(data, counts, parameters, of=False)


def _recall(data: DatasetData, counts: Counts, parameters: _Threshold, *, of: bool) -> Values:
    own, right = _own_and_right(data, parameters, of)
    share: Values = counts @ right / (counts @ own)
    return share


def _own_and_right(data: DatasetData, parameters: _Threshold, of: bool) -> tuple[Values, Values]:
    positive, score = binary_scores(data.labels, data.scores)
    own = positive == of
    return own.astype(np.float64), (own & ((score >= parameters.threshold) == of)).astype(np.float64)


def _moves(of: bool) -> Callable[[DatasetData, Any], Values]:
    """(right − share)/√(m(m−1)) of the m cases of one class; those of the other move nothing."""

    def influence(data: DatasetData, parameters: Any) -> Values:
        own, right = _own_and_right(data, parameters, of)
        return within_classes(data.labels.astype(np.int64), right / max(own.sum(), 1.0))

    return influence


def sensitivity_at_specificity(data: DatasetData, counts: Counts, parameters: _AtSpecificity) -> Values:
    """The highest sensitivity of a threshold with at least this specificity, per row of counts.

    Thresholds are the scores of cases, and one above them all; nothing is interpolated between them.
    """
    hits, false = _curve(data, counts)
    allowed = (1 - parameters.specificity) * false[:, -1:] + _EXACTLY
    last = (false <= allowed).sum(axis=1) - 1
    share: Values = hits[np.arange(len(hits)), last] / hits[:, -1]
    return np.where(false[:, -1] > 0, share, np.nan)


def specificity_at_sensitivity(data: DatasetData, counts: Counts, parameters: _AtSensitivity) -> Values:
    """The highest specificity of a threshold with at least this sensitivity, per row of counts; thresholds as above."""
    hits, false = _curve(data, counts)
    wanted = parameters.sensitivity * hits[:, -1:] - _EXACTLY
    first = (hits < wanted).sum(axis=1)
    share: Values = 1 - false[np.arange(len(hits)), first] / false[:, -1]
    return np.where(hits[:, -1] > 0, share, np.nan)


def _curve(data: DatasetData, counts: Counts) -> tuple[Values, Values]:
    """Weight of positives and negatives called as the threshold falls, from none to all; shape (rows, thresholds)."""
    positive, score = binary_scores(data.labels, data.scores)
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # of each group of equals

    def called(own: NDArray[np.bool_]) -> Values:
        found: Values = np.cumsum(counts[:, order] * own[order], axis=1)[:, last]
        return np.pad(found, ((0, 0), (1, 0)))

    return called(positive), called(~positive)


def _of_all(
    weighted: Callable[[DatasetData, Counts, Any], Values], lacking: str
) -> Callable[[DatasetData, Any], float]:
    def value(data: DatasetData, parameters: Any) -> float:
        if not len(data.labels):
            raise NotScored(lacking)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = float(weighted(data, np.ones((1, len(data.labels))), parameters)[0])
        if np.isnan(found):
            raise NotScored(lacking)
        return found

    return value


METRICS = (
    DatasetMetric(
        "sensitivity", "higher", 0, 1, 0, _Threshold, _of_all(sensitivity, _LACKING[True]), _opposite, _moves(True),
        weighted=sensitivity, reads="binary", title="sensitivity", own_interval=own_intervals.of_sensitivity,
    ),
    DatasetMetric(
        "specificity", "higher", 0, 1, 0, _Threshold, _of_all(specificity, _LACKING[False]), _opposite, _moves(False),
        weighted=specificity, reads="binary", title="specificity", own_interval=own_intervals.of_specificity,
    ),
    DatasetMetric(
        "sensitivity_at_specificity", "higher", 0, 1, 0, _AtSpecificity, _of_all(sensitivity_at_specificity, _BOTH),
        _opposite,
        weighted=sensitivity_at_specificity, reads="binary", title="sensitivity at a specificity",
        own_interval=own_intervals.of_sensitivity_at_specificity,
    ),
    DatasetMetric(
        "specificity_at_sensitivity", "higher", 0, 1, 0, _AtSensitivity, _of_all(specificity_at_sensitivity, _BOTH),
        _opposite,
        weighted=specificity_at_sensitivity, reads="binary", title="specificity at a sensitivity",
        own_interval=own_intervals.of_specificity_at_sensitivity,
    ),
)  # fmt: skip
"""Neither of the last two has an influence: the threshold that is allowed moves with each case."""
