"""Data whose truth is known, and how often the intervals that are published of them hold it."""

import math
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np

from evaluator.calibration import (
    Design,
    World,
    binormal,
    calls,
    correlated,
    groups_interval,
    softmax_rows,
    survived,
)
from evaluator.calibration import (
    covered as measured,
)
from evaluator.metrics import DatasetData
from evaluator.metrics.fairness import GroupComparison
from evaluator.metrics.registry import lookup
from evaluator.outputs._points import POINT

SHARED = 50
"""Data sets that are resampled by the same draws: those of one digest."""


def covered(world, design, runs, seed=1):
    """How often the intervals of `runs` data sets hold the truth; where there is none, nothing is left out."""
    found = measured(world, design, runs, seed)
    return (found.held + found.without) / found.datasets


def covered_fairness(apart, cases, runs):
    """How often the interval of fairness holds it: two variables, one of which has groups that lie `apart`."""
    stream, metric, parameters = np.random.default_rng(1), lookup("fairness"), GroupComparison(of="ovr_auroc")
    labels, held = np.arange(cases) % 2, 0
    for _ in range(0, runs, SHARED):
        sample = Design(cases).sample(stream, labels.tolist(), resamples=1000, level=0.95)
        for _ in range(SHARED):
            sex, age = stream.choice(["f", "m"], cases), stream.choice(["a", "b", "c", "d"], cases)
            skill = np.where(sex == "m", _distance(0.8 - apart), _distance(0.8))
            score = stream.normal(size=cases) + skill * labels
            groups = {"sex": sex.tolist(), "age": age.tolist()}
            data = DatasetData(labels, np.stack([-score, score], axis=1), groups)
            found = groups_interval(metric, parameters, data, sample)
            held += found.low <= 1 - apart / 2 <= found.high
    return held / (runs // SHARED * SHARED)


def _distance(skill):
    """Between the means of two normal distributions of that AUROC."""
    return math.sqrt(2) * NormalDist().inv_cdf(skill)


def _scores(skill):
    return partial(_of_scores, distance=_distance(skill))


def _of_scores(stream, design, distance):
    return DatasetData(design.labels, binormal(stream, design, distance))


def _calls(skill, boldness=1.0):
    return partial(calls, skill=_distance(skill), boldness=boldness)


def _classes(skill, boldness=1.0):
    """Three classes of equal size, or with the first as rare as label 1 is; scores are a softmax."""
    return partial(softmax_rows, skill=skill, boldness=boldness)


def _errors(scale):
    """Ages of 20 to 80 and errors of the given distribution."""

    def drawn(stream, design):
        labels = 50 + 15 * design.noise(stream)
        return DatasetData(labels, labels + 5 * scale(design.noise(stream)))

    return drawn


def _correlated(strength):
    return partial(correlated, strength=strength)


def _cases(shape):
    """Values of cases as quantiles of a distribution."""
    from scipy.special import ndtr

    return lambda stream, design: shape(ndtr(design.noise(stream)))


def _shares(part):
    from scipy.special import betaincinv

    def shape(quantile):
        rest = np.clip((quantile - part) / (1 - part), 0, 1)
        return np.where(quantile < part, 0.0, betaincinv(9, 2, rest))

    return shape


@dataclass(frozen=True)
class KnownWorld(World):
    """A world whose truth is known in numbers; `value` is that."""

    value: float = math.nan

    def truth(self, design, enough=0):
        return self.value


_FOUND, _FALSE = 0.9, 2.0  # of the points of the truth, and points per scan that are none
_SURE = 0.8  # by how much a found point is surer than a false one, beside half a standard deviation


def _scans(stream, design):
    """Points of the truth, at least one a scan, as sure as their scan is easy, and false points far off."""
    from scipy.special import ndtr

    labels, scores = np.empty(design.cases, object), np.empty(design.cases, object)
    for number, easy in enumerate(design.noise(stream)):
        truth = 100.0 * np.arange(1 + stream.poisson(1.0))
        found = truth[stream.random(len(truth)) < _FOUND]
        sure = _SURE + math.sqrt(0.2) * stream.normal(size=len(found)) + math.sqrt(0.8) * easy
        false = stream.normal(size=stream.poisson(_FALSE)) - 0.5
        places = np.concatenate([found, -1000.0 - 100.0 * np.arange(len(false))])
        labels[number] = _points(truth, np.ones(len(truth)))
        scores[number] = _points(places, ndtr(np.concatenate([sure, false])))
    return DatasetData(labels, scores)


def _points(places, confidence):
    points = np.zeros(len(places), POINT)
    points["x"], points["confidence"], points["name"], points["radius"] = places, confidence, -1, np.nan
    return points


def _sensitivity(*rates):
    """Of the thresholds that let so many false points a scan through, on average over the rates."""
    normal = NormalDist()
    thresholds = [-math.inf if rate >= _FALSE else normal.inv_cdf(1 - rate / _FALSE) - 0.5 for rate in rates]
    return _FOUND * float(np.mean([1 - normal.cdf(threshold - _SURE) for threshold in thresholds]))


def _heavy(noise):
    from scipy.special import ndtr, stdtrit

    return stdtrit(5, ndtr(noise))


WORLDS = {
    "auroc 0.65": World("auroc", _scores(0.65)),
    "auroc 0.80": World("auroc", _scores(0.80)),
    "auroc 0.95": World("auroc", _scores(0.95)),
    "auroc 0.98": World("auroc", _scores(0.98)),
    "auprc": World("auprc", _scores(0.80)),
    "balanced_accuracy": World("balanced_accuracy", _calls(0.80)),
    "f1": World("f1", _calls(0.80)),
    "brier": World("brier", _calls(0.80)),
    "calibration_error": World("calibration_error", _calls(0.80, 2)),
    "ovr_auroc": World("ovr_auroc", _classes(1.2)),
    "ovr_auprc": World("ovr_auprc", _classes(1.2)),
    "macro_recall": World("macro_recall", _classes(1.2)),
    "macro_f1": World("macro_f1", _classes(1.2)),
    "ovr_brier": World("ovr_brier", _classes(1.2)),
    "ovr_calibration_error": World("ovr_calibration_error", _classes(1.2, 2.0)),
    "mae": World("mae", _errors(lambda noise: noise), False),
    "mae, heavy tails": World("mae", _errors(_heavy), False),
    "rmse": World("rmse", _errors(lambda noise: noise), False),
    "r2": World("r2", _errors(lambda noise: noise), False),
    "pearson 0.4": World("pearson", _correlated(0.4), False),
    "pearson 0.85": World("pearson", _correlated(0.85), False),
    "spearman 0.4": World("spearman", _correlated(0.4), False),
    "spearman 0.85": World("spearman", _correlated(0.85), False),
    "mcc": World("mcc", _calls(0.80)),
    "kappa": World("kappa", _calls(0.80)),
    "sensitivity": World("sensitivity", _calls(0.80)),
    "specificity": World("specificity", _calls(0.95)),
    "sensitivity_at_specificity": World(
        "sensitivity_at_specificity", _scores(0.80), given={"specificity": 0.8}
    ),
    "specificity_at_sensitivity": World(
        "specificity_at_sensitivity", _scores(0.80), given={"sensitivity": 0.8}
    ),
    "log_loss": World("log_loss", _calls(0.80)),
    "class_mcc": World("class_mcc", _classes(1.2)),
    "class_kappa": World("class_kappa", _classes(1.2)),
    "class_log_loss": World("class_log_loss", _classes(1.2)),
    "concordance_correlation": World("concordance_correlation", _correlated(0.85), False),
    "sensitivity_at": KnownWorld(
        "sensitivity_at", _scans, False, {"radius_mm": 5.0}, value=_sensitivity(1.0)
    ),
    "froc": KnownWorld(
        "froc", _scans, False, {"radius_mm": 5.0}, value=_sensitivity(0.125, 0.25, 0.5, 1, 2, 4, 8)
    ),
    "concordance": World("concordance", partial(survived, strength=1.0), False),
    "dice": World("dice", _cases(_shares(0.0)), False),
    "dice, half of them 0": World("dice", _cases(_shares(0.5)), False),
    "dice, 85 % of them 0": World("dice", _cases(_shares(0.85)), False),
    "hausdorff": World("hausdorff", _cases(lambda q: -8 * np.log1p(-q)), False),
}
"""By what is shown of them."""
