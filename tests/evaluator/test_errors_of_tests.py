"""Equal teams are found different no more often than 5 in 100 times, whatever the metric and the number of cases."""

import math

import numpy as np
import pytest
from scipy.special import expit

from evaluator.comparison import holm
from evaluator.comparison._tests import metric_differences
from evaluator.metrics import DatasetData
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


def errors(name, cases, runs, seed=5):
    """How often a pair, and any pair after Holm's correction, is found different at 0.05."""
    stream, metric = np.random.default_rng(seed), lookup(name)
    parameters, pair, family = metric.parse({}), 0, 0
    for _ in range(runs):
        labels = labels_of(metric, cases, stream)
        shape = (cases, 3) if metric.reads == "classes" else (cases,)
        common = stream.normal(size=shape)
        teams = [
            DatasetData(labels, ROWS[name](labels, (common + stream.normal(size=shape)) / math.sqrt(2)))
            for _ in range(TEAMS)
        ]
        values = np.array([metric.score(data, parameters) for data in teams])
        p = metric_differences(
            metric, values, np.array([metric.influence(data, parameters) for data in teams])
        ).p()
        pair += p[0, 1] <= 0.05
        family += np.nanmin(holm(p)) <= 0.05
    return pair / runs, family / runs


@pytest.mark.parametrize("name", ["pearson", "rmse"])
def test_equal_teams_are_found_different_in_5_of_100_families_of_25_cases(name):
    assert max(errors(name, 25, 500)) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)


@pytest.mark.long
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("cases", [20, 25, 80, 320])
def test_equal_teams_are_found_different_in_5_of_100_families_of_any_size(name, cases):
    assert max(errors(name, cases, 2000)) <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 2000)
