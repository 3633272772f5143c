"""Agreement of labels and calls beyond chance: Matthews' correlation and Cohen's kappa.

Both are functions of the confusion matrix, of which only its trace and margins are needed. Of one score per case, a
score of at least the threshold says label 1; of a score per class, the first of the highest is the class called.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics import own_intervals
from evaluator.metrics._arrays import binary_scores, class_scores
from evaluator.metrics._errors import NotScored
from evaluator.metrics._of_datasets import _next_class, _opposite, _Threshold
from evaluator.metrics._plugin import DatasetData, DatasetMetric, Parameters, Values
from evaluator.metrics.influence import within_classes
from evaluator.resampling import Counts

Distance = Literal["none", "linear", "quadratic"]
"""What a wrong call costs: 1, or the distance of the classes in the order of the task, or its square."""

_ROUNDING = 1e-12  # weights of cases need not be whole numbers


class _Weights(Parameters):
    """weights: what a wrong call costs, see `Distance`; "none" where classes have no order."""

    weights: Distance = "none"


@dataclass(frozen=True)
class _Margins:
    """Of weighted cases: how many have each label, each call, and both alike; the first two of shape (rows, C)."""

    true: Values
    called: Values
    alike: Values

    @property
    def total(self) -> Values:
        """The weight of all cases, shape (rows, 1)."""
        return np.asarray(self.true.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Calls:
    """The label and the class called of each case, both of shape (cases,) and below `classes`; what errors cost."""

    label: NDArray[np.int64]
    called: NDArray[np.int64]
    classes: int
    weights: Distance = "none"

    def cost(self) -> Values:
        """Of each case, shape (cases,)."""
        apart = np.abs(self.label - self.called).astype(np.float64)
        return np.asarray(
            {"none": apart > 0, "linear": apart, "quadratic": apart**2}[self.weights], np.float64
        )

    def margins(self, counts: Counts) -> _Margins:
        """Of the cases, each as often as rows of counts say."""
        numbers = np.arange(self.classes)
        true, called, alike = (
            counts @ one.astype(np.float64)
            for one in (
                self.label[:, None] == numbers,
                self.called[:, None] == numbers,
                self.label == self.called,
            )
        )
        return _Margins(true, called, alike)

    def all(self) -> _Margins:
        """Of the cases, each once."""
        return self.margins(np.ones((1, len(self.label))))


def of_threshold(data: DatasetData, parameters: _Threshold) -> Calls:
    """What scores of one number per case call.

    Raises:
        ValueError: labels other than 0 and 1, scores that are not finite, or lengths that differ.
    """
    positive, score = binary_scores(data.labels, data.scores)
    return Calls(positive.astype(np.int64), (score >= parameters.threshold).astype(np.int64), 2)


def of_highest(data: DatasetData, parameters: Parameters) -> Calls:
    """What a score per class calls, classes without an order.

    Raises:
        ValueError: labels outside 0..C-1, scores that are not finite, or lengths that differ.
    """
    label, score = class_scores(data.labels, data.scores)
    return Calls(label, score.argmax(axis=1), score.shape[1])


def of_order(data: DatasetData, parameters: _Weights) -> Calls:
    """As `of_highest`, an error costing what the parameters say."""
    return replace(of_highest(data, parameters), weights=parameters.weights)


def matthews(calls: Calls, counts: Counts) -> Values:
    """Matthews' correlation per row of counts: the correlation of labels and calls as indicators of the classes.

    J. Gorodkin 2004 (https://doi.org/10.1016/j.compbiolchem.2004.09.006); of two classes B. W. Matthews 1975. It is 0
    where all cases are called alike, and NaN where all have one label.
    """
    together, labels, called = _covariances(calls.margins(counts))
    safe = np.where(called > _ROUNDING, called, 1)
    value: Values = np.where(called > _ROUNDING, np.clip(together / np.sqrt(labels * safe), -1, 1), 0)
    return np.where(labels > _ROUNDING, value, np.nan)[:, 0]


def _covariances(margins: _Margins) -> tuple[Values, Values, Values]:
    """Of labels with calls, labels, and calls; each the sum over classes, a share of the squared weight, (rows, 1)."""
    total = margins.total
    together = margins.alike[:, None] * total - (margins.true * margins.called).sum(axis=1, keepdims=True)
    labels, called = (
        total**2 - (margin**2).sum(axis=1, keepdims=True) for margin in (margins.true, margins.called)
    )
    return together / total**2, labels / total**2, called / total**2


def _moves_matthews(calls: Calls) -> Values:
    margins = calls.all()
    together, labels, called = (float(found[0, 0]) for found in _covariances(margins))
    if not min(labels, called) > _ROUNDING:
        raise NotScored("a correlation of one label, or one call, does not say what moves it")
    true, called_as = margins.true[0, calls.label], margins.called[0, calls.label]
    other, own = margins.true[0, calls.called], margins.called[0, calls.called]
    total, alike = len(calls.label), float(margins.alike[0])
    slope = (calls.label == calls.called) * total + alike - other - called_as
    root = np.sqrt(labels * called)
    value = together / root
    moved: Values = slope / root - value * ((total - true) / labels + (total - own) / called)
    return moved / total**2


def kappa(calls: Calls, counts: Counts) -> Values:
    """Cohen's kappa per row of counts: 1 − cost of the calls / cost of calls as frequent, made by chance.

    J. Cohen 1960 (https://doi.org/10.1177/001316446002000104), 1968 with weights
    (https://doi.org/10.1037/h0026256). NaN where chance costs nothing: one label, and all called so.
    """
    margins = calls.margins(counts)
    by_chance = (margins.true * _cost_of(calls.weights, margins.called)).sum(axis=1)
    total, paid = margins.total[:, 0], counts @ calls.cost()
    value: Values = 1 - paid * total / np.where(by_chance > _ROUNDING * total**2, by_chance, np.nan)
    return value


def _cost_of(weights: Distance, others: Values) -> Values:
    """Per class what a case of it costs with each of `others`, classes by their weight; both (rows, C)."""
    total, classes = others.sum(axis=1, keepdims=True), np.arange(others.shape[1], dtype=np.float64)
    if weights == "none":
        return np.asarray(total - others)
    if weights == "linear":
        below = np.cumsum(others, axis=1)
        up = np.cumsum(below, axis=1) - below  # each step up passes all that lie below it
        down = np.cumsum((total - below)[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(up + down)
    first, second = (others @ classes)[:, None], (others @ classes**2)[:, None]
    return np.asarray(classes**2 * total - 2 * classes * first + second)


def _moves_kappa(calls: Calls) -> Values:
    margins = calls.all()
    of_label = _cost_of(calls.weights, margins.called)[0, calls.label]
    of_call = _cost_of(calls.weights, margins.true)[0, calls.called]
    by_chance, paid = float(of_label.sum()), calls.cost()
    if not by_chance > 0:
        raise NotScored(_ONE_CLASS)
    total, cost = len(paid), float(paid.sum())
    moved: Values = -(paid * total + cost) / by_chance + cost * total * (of_label + of_call) / by_chance**2
    return moved


_ONE_LABEL = "Matthews' correlation needs cases of two classes"
_ONE_CLASS = "kappa needs two classes among labels and calls"

_Called = Callable[[DatasetData, Any], Calls]
_OfCalls = Callable[[Calls, Counts], Values]


def _value(called: _Called, of_calls: _OfCalls, lacking: str) -> Callable[[DatasetData, Any], float]:
    def value(data: DatasetData, parameters: Any) -> float:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = float(of_calls(called(data, parameters), np.ones((1, len(data.labels))))[0])
        if np.isnan(found):
            raise NotScored(lacking)
        return found

    return value


def _weighted(called: _Called, of_calls: _OfCalls) -> Callable[[DatasetData, Counts, Any], Values]:
    return lambda data, counts, parameters: of_calls(called(data, parameters), counts)


def _influence(called: _Called, moves: Callable[[Calls], Values]) -> Callable[[DatasetData, Any], Values]:
    def influence(data: DatasetData, parameters: Any) -> Values:
        calls = called(data, parameters)
        return within_classes(calls.label, moves(calls))

    return influence


METRICS = (
    DatasetMetric(
        "mcc", "higher", -1, 1, -1, _Threshold, _value(of_threshold, matthews, _ONE_LABEL), _opposite,
        _influence(of_threshold, _moves_matthews),
        weighted=_weighted(of_threshold, matthews), reads="binary", title="Matthews correlation",
        own_interval=own_intervals.of_mcc,
    ),
    DatasetMetric(
        "kappa", "higher", -1, 1, -1, _Threshold, _value(of_threshold, kappa, _ONE_CLASS), _opposite,
        _influence(of_threshold, _moves_kappa),
        weighted=_weighted(of_threshold, kappa), reads="binary", title="Cohen's kappa",
        own_interval=own_intervals.of_kappa,
    ),
    DatasetMetric(
        "class_mcc", "higher", -1, 1, -1, Parameters, _value(of_highest, matthews, _ONE_LABEL), _next_class,
        _influence(of_highest, _moves_matthews),
        weighted=_weighted(of_highest, matthews), reads="classes", title="Matthews correlation",
    ),
    DatasetMetric(
        "class_kappa", "higher", -1, 1, -1, _Weights, _value(of_order, kappa, _ONE_CLASS), _next_class,
        _influence(of_order, _moves_kappa),
        weighted=_weighted(of_order, kappa), reads="classes", title="Cohen's kappa",
    ),
)  # fmt: skip
