"""Equal teams are found different no more often than 5 in 100 times, whatever the metrics and the number of cases."""

import math

import numpy as np
import pytest
from scipy.special import expit, ndtri

from evaluator.comparison import holm, permutation_test, step_down
from evaluator.comparison._tests import metric_differences
from evaluator.metrics import DatasetData
from evaluator.metrics.influence import by_unit
from evaluator.metrics.registry import lookup

TEAMS = 5
ROWS = {
    "mae": lambda labels, noise: labels + 5 * noise,
    "rmse": lambda labels, noise: labels + 5 * noise,
    "r2": lambda labels, noise: labels + 5 * noise,
    "pearson": lambda labels, noise: labels + 30 * noise,
    "auroc": lambda labels, noise: noise + 1.2 * labels,
    "brier": lambda labels, noise: expit(noise + 1.2 * (labels - 0.5)),
    "balanced_accuracy": lambda labels, noise: expit(noise + 1.2 * (labels - 0.5)),
    "ovr_auroc": lambda labels, noise: noise + 1.2 * np.eye(3)[labels],
    "macro_f1": lambda labels, noise: noise + 1.2 * np.eye(3)[labels],
    "macro_recall": lambda labels, noise: noise + 1.2 * np.eye(3)[labels],
    "ovr_brier": lambda labels, noise: np.exp(noise) / np.exp(noise).sum(axis=1, keepdims=True),
}
"""What teams of equal skill write, from the labels and noise of which half is common to all of them."""


def labels_of(metric, cases, stream):
    if metric.reads == "numbers":
        return 50 + 15 * stream.normal(size=cases)
    return np.arange(cases) % (3 if metric.reads == "classes" else 2)


def differences(name, cases, teams, stream, common=None):
    """The differences of equal teams; those with the same `common` noise are of the same test set."""
    metric = lookup(name)
    labels, parameters = labels_of(metric, cases, stream), metric.parse({})
    shape = (cases, 3) if metric.reads == "classes" else (cases,)
    shared = stream.normal(size=shape) if common is None else common
    noise = shared + stream.normal(size=(teams, *shape))
    found = [DatasetData(labels, ROWS[name](labels, own / math.sqrt(2))) for own in noise]
    return metric_differences(
        metric,
        np.array([metric.score(data, parameters) for data in found]),
        np.array([metric.influence(data, parameters) for data in found]),
    )


def errors(name, cases, runs, seed=5):
    """How often a pair, and any pair after Holm's correction, is found different at 0.05."""
    stream, pair, family = np.random.default_rng(seed), 0, 0
    for _ in range(runs):
        p = differences(name, cases, TEAMS, stream).p()
        pair += p[0, 1] <= 0.05
        family += np.nanmin(holm(p)) <= 0.05
    return pair / runs, family / runs


@pytest.mark.parametrize("name", ["pearson", "rmse"])
def test_equal_teams_are_found_different_in_5_of_100_families_of_25_cases(name):
    assert max(errors(name, 25, 500)) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)


@pytest.mark.parametrize("sites", [4, 6, 10])
def test_equal_teams_of_few_sites_are_found_different_by_auroc_in_5_of_100_pairs(sites):
    stream, metric, runs, found = np.random.default_rng(9), lookup("auroc"), 500, 0
    labels, parameters = (np.arange(80) % 5 < 2).astype(float), metric.parse({})
    for _ in range(runs):
        site, common = stream.permutation(80) % sites, stream.normal(size=80)
        skills = 1.2 + 0.8 * stream.normal(size=(2, sites))[:, site]
        pair = [
            DatasetData(labels, skill * labels + common + 0.6 * stream.normal(size=80)) for skill in skills
        ]
        moved = np.array([by_unit(metric.influence(data, parameters), site) for data in pair])
        moved *= math.sqrt(sites / (sites - 1) * 79 / 80)  # as scores keep them
        values = np.array([metric.score(data, parameters) for data in pair])
        found += metric_differences(metric, values, moved).p()[0, 1] <= 0.05
    assert found / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.long
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("cases", [20, 25, 80, 320])
def test_equal_teams_are_found_different_in_5_of_100_families_of_any_size(name, cases):
    assert max(errors(name, cases, 2000)) <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 2000)


SLACK = 3 * math.sqrt(0.05 * 0.95 / 1000)
"""Three standard errors of a thousand runs."""

UNEQUAL = {
    "pearson": (
        np.array([0.4, 0.6, 0.8, 0.9]),
        lambda truth, labels, noise: truth * labels + math.sqrt(1 - truth**2) * noise,
    ),
    "rmse": (np.array([1.0, 1.5, 2.0, 3.0]), lambda truth, labels, noise: labels + truth * noise),
    "auroc": (
        np.array([0.65, 0.75, 0.85, 0.9]),
        lambda truth, labels, noise: noise + math.sqrt(2) * ndtri(truth) * labels,
    ),
}
"""What teams of unequal skill are worth in truth, and what they write."""


def held_of_unequal(name, cases, runs):
    """How often all intervals of differences at once hold the true ones."""
    stream, held, metric = np.random.default_rng(7), 0, lookup(name)
    (truth, write), scale, parameters = UNEQUAL[name], metric.interval.scale, metric.parse({})
    places = truth if name == "auroc" else np.array([scale.to(value) for value in truth.tolist()])
    apart = places[:, None] - places
    for _ in range(runs):
        labels = (np.arange(cases) % 2).astype(float) if name == "auroc" else stream.normal(size=cases)
        noise = (stream.normal(size=(4, cases)) + stream.normal(size=cases)) / math.sqrt(2)
        teams = [
            DatasetData(labels, write(value, labels, own)) for value, own in zip(truth, noise, strict=True)
        ]
        bounds = metric_differences(
            metric,
            np.array([metric.score(data, parameters) for data in teams]),
            np.array([metric.influence(data, parameters) for data in teams]),
        ).bounds(0.95)
        held += not ((bounds.low > apart) | (bounds.high < apart)).any()
    return held / runs


@pytest.mark.parametrize("name", UNEQUAL)
def test_intervals_of_all_pairs_of_25_cases_hold_the_true_differences_of_unequal_teams(name):
    assert held_of_unequal(name, 25, 300) >= 0.945 - 2 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.long
@pytest.mark.parametrize("name", UNEQUAL)
@pytest.mark.parametrize("cases", [20, 25, 80, 320])
def test_intervals_of_all_pairs_hold_the_true_differences_of_unequal_teams(name, cases):
    assert held_of_unequal(name, cases, 2000) >= 0.945 - 2 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.long
@pytest.mark.parametrize("teams", [5, 10])
@pytest.mark.parametrize("cases", [20, 25, 80, 320])
def test_one_family_over_all_metrics_errs_in_5_of_100_and_intervals_of_all_pairs_hold(cases, teams):
    stream, runs, several = np.random.default_rng(6), 1000, 0
    held = dict.fromkeys(ROWS, 0)
    for _ in range(runs):
        every = []
        common = {reads: stream.normal(size=(cases, 3)) for reads in ("numbers", "binary", "classes")}
        for name in ROWS:
            reads = lookup(name).reads
            shared = common[reads] if reads == "classes" else common[reads][:, 0]
            found = differences(name, cases, teams, stream, shared)
            p = found.p()[np.triu_indices(teams, 1)]
            every.append(p[np.isfinite(p)])
            held[name] += not np.nanmax(found.bounds(0.95).low, initial=-1) > 0
        several += step_down(np.concatenate(every)).min() <= 0.05
    assert several / runs <= 0.05 + SLACK
    missed = {name: count / runs for name, count in held.items() if count / runs < 0.945 - SLACK}
    assert not missed


@pytest.mark.long
@pytest.mark.parametrize("cases", [20, 25, 80, 320])
def test_one_family_over_means_of_single_cases_errs_in_5_of_100(cases):
    stream, runs, several = np.random.default_rng(8), 400, 0
    for run in range(runs):
        shared, every = stream.beta(4, 2, size=cases), []
        for metric in range(4):
            rows = 0.5 * shared + 0.5 * stream.beta(2, 2, size=(4, cases))
            p = permutation_test(rows, digest=f"sha256:{run}-{metric}", permutations=4999)
            every.append(p[np.triu_indices(4, 1)])
        several += step_down(np.concatenate(every)).min() <= 0.05
    assert several / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
