"""What probabilities say: the log loss, and what the Brier score consists of."""

import math
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from evaluator.metrics import influence, own_intervals
from evaluator.metrics._of_datasets import _Bins, _next_class, _opposite
from evaluator.metrics._plugin import DatasetData, DatasetMetric, Parameters, Values
from evaluator.metrics.calibration import bin_of, binary_probabilities, class_probabilities
from evaluator.metrics.intervals import LOG
from evaluator.metrics.weighted import weighted_mean
from evaluator.resampling import Counts

_LEAST = float(np.finfo(np.float64).eps)


class _LogLoss(Parameters):
    """least: what a probability counts as at least, and 1 less it at most, so that one case costs no infinity."""

    least: Annotated[float, Field(ge=_LEAST, lt=0.5)] = _LEAST


class Decomposition(NamedTuple):
    """The parts of a Brier score: reliability − resolution + uncertainty + what probabilities of one bin differ by."""

    reliability: float
    resolution: float
    uncertainty: float
    within: float


def log_loss(y_true: ArrayLike, y_score: ArrayLike, *, least: float = _LEAST) -> float:
    """Mean of −ln of the (n,) probabilities of the labels 0 or 1 that were true, each from `least` to 1 − `least`.

    Raises:
        NotScored: there is no case, or a score is no probability.
        ValueError: labels other than 0 and 1, scores that are not finite, or lengths that differ.
    """
    return float(
        np.mean(_losses(DatasetData(np.asarray(y_true), np.asarray(y_score)), _LogLoss(least=least)))
    )


def class_log_loss(y_true: ArrayLike, y_score: ArrayLike, *, least: float = _LEAST) -> float:
    """As `log_loss`, of (n,) class indices 0..C-1 and (n, C) probabilities, taken as they are."""
    data = DatasetData(np.asarray(y_true), np.asarray(y_score))
    return float(np.mean(_class_losses(data, _LogLoss(least=least))))


def brier_decomposition(y_true: ArrayLike, y_score: ArrayLike, *, bins: int = 10) -> Decomposition:
    """The parts of the Brier score of (n,) probabilities of label 1 that are put into bins k.

    Reliability is Σ n_k (p̄_k − ȳ_k)²/n, resolution Σ n_k (ȳ_k − ȳ)²/n, uncertainty ȳ(1 − ȳ): A. H. Murphy 1973
    (https://doi.org/10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2). Bins are those of
    `calibration.calibration_error`; what probabilities of one bin differ by adds Σ (p − y)² − (p̄_k − y)², over n.

    Raises:
        NotScored: there is no case, or a score is no probability.
        ValueError: as `log_loss`, or fewer than one bin.
    """
    label, chance = binary_probabilities(y_true, y_score)
    data, ones = DatasetData(label, chance), np.ones((1, len(label)))
    parameters = _Bins(bins=bins)
    within = _bins_of(data, parameters)
    means = (within.T @ chance / np.maximum(within.sum(axis=0), 1))[within.argmax(axis=1)]
    return Decomposition(
        float(_reliability(data, ones, parameters)[0]),
        float(_resolution(data, ones, parameters)[0]),
        float(label.mean() * (1 - label.mean())),
        float(np.mean((chance - label) ** 2 - (means - label) ** 2)),
    )


def _losses(data: DatasetData, parameters: _LogLoss) -> Values:
    label, chance = binary_probabilities(data.labels, data.scores)
    return _loss_of(np.where(label == 1, chance, 1 - chance), parameters)


def _class_losses(data: DatasetData, parameters: _LogLoss) -> Values:
    label, chance = class_probabilities(data.labels, data.scores)
    return _loss_of(chance[np.arange(len(label)), label], parameters)


def _loss_of(chance: Values, parameters: _LogLoss) -> Values:
    loss: Values = -np.log(np.clip(chance, parameters.least, 1 - parameters.least))
    return loss


_Losses = Callable[[DatasetData, Any], Values]


def _mean(losses: _Losses) -> Callable[[DatasetData, Any], float]:
    return lambda data, parameters: float(np.mean(losses(data, parameters)))


def _weighted(losses: _Losses) -> Callable[[DatasetData, Counts, Any], Values]:
    return lambda data, counts, parameters: weighted_mean(losses(data, parameters), counts)


def _moves(losses: _Losses) -> Callable[[DatasetData, Any], Values]:
    return lambda data, parameters: influence.of_mean(losses(data, parameters))


def _bins_of(data: DatasetData, parameters: _Bins) -> Values:
    """1 where a case lies in a bin, shape (cases, bins)."""
    found: Values = np.eye(parameters.bins)[bin_of(data.scores, parameters.bins)]
    return found


def _reliability(data: DatasetData, counts: Counts, parameters: _Bins) -> Values:
    within = _bins_of(data, parameters)
    excess, size = counts @ (within * (data.scores - data.labels)[:, None]), counts @ within
    part: Values = (excess**2 / np.where(size > 0, size, 1)).sum(axis=1) / counts.sum(axis=1)
    return part


def _resolution(data: DatasetData, counts: Counts, parameters: _Bins) -> Values:
    within, total = _bins_of(data, parameters), counts.sum(axis=1)
    hits, size = counts @ (within * data.labels[:, None]), counts @ within
    share = hits.sum(axis=1, keepdims=True) / total[:, None]
    part: Values = ((hits - size * share) ** 2 / np.where(size > 0, size, 1)).sum(axis=1) / total
    return part


def _moves_resolution(data: DatasetData, parameters: _Bins) -> Values:
    """ψ of the resolution Σ n_k (ȳ_k − ȳ)²/n: what it changes by is that of its terms, ȳ having no slope."""
    label, _ = binary_probabilities(data.labels, data.scores)
    bins = _bins_of(data, parameters).argmax(axis=1)
    size = np.bincount(bins, minlength=parameters.bins)
    share = (np.bincount(bins, weights=label, minlength=parameters.bins) / np.maximum(size, 1))[bins]
    apart = share - label.mean()
    return influence.of_mean(apart**2 + 2 * apart * (label - share))


def _part(weighted: Callable[[DatasetData, Counts, Any], Values]) -> Callable[[DatasetData, Any], float]:
    def value(data: DatasetData, parameters: Any) -> float:
        label, chance = binary_probabilities(data.labels, data.scores)
        return float(weighted(DatasetData(label, chance), np.ones((1, len(label))), parameters)[0])

    return value


METRICS = (
    DatasetMetric(
        "log_loss", "lower", 0, math.inf, math.inf, _LogLoss, _mean(_losses), _opposite, _moves(_losses),
        weighted=_weighted(_losses), test="t", reads="binary", title="log loss", interval=LOG,
    ),
    DatasetMetric(
        "class_log_loss", "lower", 0, math.inf, math.inf, _LogLoss, _mean(_class_losses), _next_class,
        _moves(_class_losses),
        weighted=_weighted(_class_losses), test="t", reads="classes", title="log loss", interval=LOG,
    ),
    DatasetMetric(
        "brier_reliability", "lower", 0, 1, 1, _Bins, _part(_reliability), _opposite,
        weighted=_reliability, reads="binary", title="reliability", own_interval=own_intervals.of_parts,
    ),
    DatasetMetric(
        "brier_resolution", "higher", 0, math.inf, 0, _Bins, _part(_resolution), _opposite, _moves_resolution,
        weighted=_resolution, reads="binary", title="resolution", own_interval=own_intervals.of_parts,
    ),
)  # fmt: skip
"""Reliability has no influence: at 0, which is what models strive for, it has no slope, so ψ would say too little.

Resolution has no bound of its own: it reaches the uncertainty, which the labels decide and which is no team's merit.
"""
