"""Data whose truth is known, and how often the intervals that are published of them hold it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from evaluator.metrics import CaseMetric, DatasetData
from evaluator.metrics.fairness import GroupComparison
from evaluator.metrics.influence import of_mean
from evaluator.metrics.registry import lookup
from evaluator.metrics.resampled import auroc_replicates
from evaluator.metrics.weighted import weighted_mean
from evaluator.resampling import draw_counts, pooled_strata, unit_numbers
from evaluator.scoring._fairness import joined_bounds
from evaluator.scoring._intervals import dataset_interval, exact_of, influence_of, interval_of
from evaluator.scoring._probe_runs import Tested
from evaluator.scoring._values import BoundMetric, Sample

LEVEL = 0.95
RESAMPLES = 1000
SHARED = 50
"""Data sets that are resampled by the same draws: those of one digest."""
ENOUGH = 400_000
PAIRS = 20_000
"""As many cases are enough for a metric of all pairs, whose time grows with their square."""


@dataclass(frozen=True)
class Design:
    """Cases, sites that they come from at random, the share of label 1, and sessions of each subject."""

    cases: int
    sites: int = 1
    share: float = 0.5
    sessions: int = 1

    @property
    def subjects(self):
        """The subject of each case."""
        return np.repeat(np.arange(self.cases // self.sessions), self.sessions)

    @property
    def labels(self):
        """All sessions of a subject have its label."""
        positives = max(round(self.subjects[-1] + 1) * self.share, 2)
        return (self.subjects < round(positives)).astype(int)

    def noise(self, stream, together=0.8):
        """Standard normal values of cases, correlated within a subject."""
        own = stream.normal(size=self.subjects[-1] + 1)[self.subjects]
        if self.sessions == 1:
            return own
        return math.sqrt(together) * own + math.sqrt(1 - together) * stream.normal(size=len(own))

    def sample(self, stream, classes):
        """Draws within sites and classes, as scoring makes them by default."""
        units = self.subjects.tolist()
        sites = stream.integers(self.sites, size=self.subjects[-1] + 1)[self.subjects]
        strata = pooled_strata(units, list(zip(sites.tolist(), classes, strict=True)), classes)
        counts = draw_counts(units, strata, resamples=RESAMPLES, digest=str(stream.integers(2**40)))
        return Sample(counts, unit_numbers(units), LEVEL, self.subjects)


@dataclass(frozen=True)
class World:
    """A metric and a distribution of data: drawn(stream, design) is a DatasetData, or the values of single cases."""

    metric: str
    drawn: Callable[[np.random.Generator, Design], Any]
    stratified: bool = True
    given: Mapping[str, Any] = field(default_factory=dict)

    def truth(self, design):
        """The value of so many cases that no other matters."""
        enough = PAIRS if self.metric == "concordance" else ENOUGH
        large = self.drawn(np.random.default_rng(7), replace(design, cases=enough, sessions=1))
        plugin = lookup(self.metric)
        if isinstance(plugin, CaseMetric):
            return float(np.mean(large))
        return plugin.score(large, plugin.parse(self.given))


def covered(world, design, runs, seed=1):
    """How often the intervals of `runs` data sets hold the truth."""
    stream, truth, held = np.random.default_rng(seed), world.truth(design), 0
    for _ in range(0, runs, SHARED):
        classes = design.labels.tolist() if world.stratified else [0] * len(design.subjects)
        sample = design.sample(stream, classes)
        found = [world.drawn(stream, design) for _ in range(SHARED)]
        held += sum(low <= truth <= high for low, high in _intervals(world, found, sample))
    return held / (runs // SHARED * SHARED)


def covered_fairness(apart, cases, runs):
    """How often the interval of fairness holds it: two variables, one of which has groups that lie `apart`."""
    stream, metric = (
        np.random.default_rng(1),
        BoundMetric(lookup("fairness"), GroupComparison(of="ovr_auroc"), ""),
    )
    labels, held = np.arange(cases) % 2, 0
    for _ in range(0, runs, SHARED):
        counts = draw_counts(
            range(cases), labels.tolist(), resamples=RESAMPLES, digest=str(stream.integers(2**40))
        )
        sample = Sample(counts, np.arange(cases), LEVEL, np.arange(cases))
        for _ in range(SHARED):
            sex, age = stream.choice(["f", "m"], cases), stream.choice(["a", "b", "c", "d"], cases)
            skill = np.where(sex == "m", _distance(0.8 - apart), _distance(0.8))
            score = stream.normal(size=cases) + skill * labels
            rows, groups = list(np.stack([-score, score], axis=1)), {"sex": sex.tolist(), "age": age.tolist()}
            names = tuple(map(str, range(cases)))
            found = joined_bounds(metric, [Tested(names, labels, rows, ("0", "1"), groups, True)], sample)
            held += found.low <= 1 - apart / 2 <= found.high
    return held / (runs // SHARED * SHARED)


def _distance(skill):
    """Between the means of two normal distributions of that AUROC."""
    return math.sqrt(2) * NormalDist().inv_cdf(skill)


def _intervals(world, found, sample):
    plugin = lookup(world.metric)
    if isinstance(plugin, CaseMetric):
        for values in found:
            drawn, moved = weighted_mean(values, sample.counts), of_mean(values)
            yield _ends(interval_of(plugin, values.mean(), drawn, sample, moved))
        return
    parameters, together = plugin.parse(world.given), None
    if world.metric == "auroc":  # all at once, as it takes the longest
        together = auroc_replicates(found[0].labels, np.array([one.scores for one in found]), sample.counts)
    for number, data in enumerate(found):
        value = plugin.score(data, parameters)
        if together is None:
            yield _ends(dataset_interval(plugin, value, data, parameters, sample)[2])
            continue
        drawn, moved = together[number], influence_of(plugin, data, parameters)
        exact = exact_of(plugin, data, sample.units)
        yield _ends(interval_of(plugin, value, drawn, sample, moved, exact=exact))


def _ends(bounds):
    return bounds.pair or (-math.inf, math.inf)


def _scores(skill, link=None):
    distance = _distance(skill)

    def binary(stream, design):
        scores = design.noise(stream) + distance * (design.labels - 0.5)
        return DatasetData(design.labels, scores if link is None else link(distance * scores))

    return binary


def _classes(skill, spread=1.0):
    """Three classes of equal size, or with the first as rare as label 1 is; scores are a softmax."""

    def drawn(stream, design):
        labels = design.labels.copy()
        labels[labels == 0] = 1 + np.arange((labels == 0).sum()) // design.sessions % 2
        rows = np.stack([design.noise(stream) for _ in range(3)], axis=1)
        rows[np.arange(len(labels)), labels] += skill
        rows = np.exp(spread * rows)
        return DatasetData(labels, rows / rows.sum(axis=1, keepdims=True))

    return drawn


def _errors(scale):
    """Ages of 20 to 80 and errors of the given distribution."""

    def drawn(stream, design):
        labels = 50 + 15 * design.noise(stream)
        return DatasetData(labels, labels + 5 * scale(design.noise(stream)))

    return drawn


def _correlated(strength):
    def drawn(stream, design):
        one = design.noise(stream)
        other = strength * one + math.sqrt(1 - strength**2) * design.noise(stream)
        return DatasetData(one, other)

    return drawn


def _survived(strength):
    """Times that risks shorten, of which a third are not seen to their end."""

    def drawn(stream, design):
        risk = design.noise(stream)
        time = np.exp(-strength * risk + stream.normal(size=design.cases))
        seen = np.exp(0.6 + stream.normal(size=design.cases))
        return DatasetData(np.stack([np.minimum(time, seen), time <= seen], axis=1), risk)

    return drawn


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


def _logistic(score):
    return 1 / (1 + np.exp(-score))


def _heavy(noise):
    from scipy.special import ndtr, stdtrit

    return stdtrit(5, ndtr(noise))


WORLDS = {
    "auroc 0.65": World("auroc", _scores(0.65)),
    "auroc 0.80": World("auroc", _scores(0.80)),
    "auroc 0.95": World("auroc", _scores(0.95)),
    "auprc": World("auprc", _scores(0.80)),
    "balanced_accuracy": World("balanced_accuracy", _scores(0.80, _logistic)),
    "f1": World("f1", _scores(0.80, _logistic)),
    "brier": World("brier", _scores(0.80, _logistic)),
    "calibration_error": World("calibration_error", _scores(0.80, lambda s: _logistic(2 * s))),
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
    "mcc": World("mcc", _scores(0.80, _logistic)),
    "kappa": World("kappa", _scores(0.80, _logistic)),
    "sensitivity": World("sensitivity", _scores(0.80, _logistic)),
    "specificity": World("specificity", _scores(0.95, _logistic)),
    "sensitivity_at_specificity": World(
        "sensitivity_at_specificity", _scores(0.80), given={"specificity": 0.8}
    ),
    "specificity_at_sensitivity": World(
        "specificity_at_sensitivity", _scores(0.80), given={"sensitivity": 0.8}
    ),
    "log_loss": World("log_loss", _scores(0.80, _logistic)),
    "class_mcc": World("class_mcc", _classes(1.2)),
    "class_kappa": World("class_kappa", _classes(1.2)),
    "class_log_loss": World("class_log_loss", _classes(1.2)),
    "concordance_correlation": World("concordance_correlation", _correlated(0.85), False),
    "concordance": World("concordance", _survived(1.0), False),
    "dice": World("dice", _cases(_shares(0.0)), False),
    "dice, half of them 0": World("dice", _cases(_shares(0.5)), False),
    "dice, 85 % of them 0": World("dice", _cases(_shares(0.85)), False),
    "hausdorff": World("hausdorff", _cases(lambda q: -8 * np.log1p(-q)), False),
}
"""By what is shown of them."""
