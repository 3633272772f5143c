"""What intervals, tests and places promise, held against data whose truth is known."""

import math

import numpy as np
import pytest

from evaluator.comparison import holm, influence_test, permutation_test, rank_intervals
from evaluator.metrics import DatasetData
from evaluator.metrics.classification import auroc
from evaluator.metrics.delong import auroc_interval, paired_test
from evaluator.metrics.fairness import disparities
from evaluator.metrics.influence import of_auroc
from evaluator.metrics.registry import lookup
from evaluator.metrics.resampled import auroc_replicates
from evaluator.resampling import draw_counts, percentile_interval
from evaluator.scoring._chance import _shuffled

TRUTH = 0.76
DISTANCE = 0.999  # of two normal distributions with that AUROC: sqrt(2) · Φ⁻¹(0.76)
SITES = 4


def drawn(stream, cases=160, teams=1, skill=DISTANCE):
    """Labels, sites and the scores of teams of equal skill that see the same cases with noise of their own."""
    labels = np.arange(cases) % 2
    sites = np.arange(cases) // 2 % SITES
    seen = stream.normal(size=cases) + skill * labels
    own = stream.normal(size=(teams, cases)) + skill * labels
    return labels, sites, (seen + own) / math.sqrt(2) if teams > 1 else seen[None]


def covering(runs, seed):
    """How often the bootstrap's and DeLong's 95 % intervals hold the true AUROC."""
    stream = np.random.default_rng(seed)
    bootstrap = delong = 0
    for run in range(runs):
        labels, sites, scores = drawn(stream)
        strata = list(zip(labels, sites, strict=True))
        counts = draw_counts(range(len(labels)), strata, resamples=400, digest=f"sha256:{seed}{run}")
        low, high = percentile_interval(auroc_replicates(labels, scores, counts)[0], 0.95)
        bootstrap += low <= TRUTH <= high
        exact = auroc_interval(labels, scores[0])
        delong += exact.low <= TRUTH <= exact.high
    return bootstrap / runs, delong / runs


def test_intervals_hold_the_true_auroc_as_often_as_they_say():
    for share in covering(runs=500, seed=1):
        assert 0.92 < share < 0.98  # 0.95 with three standard errors of 500 runs


@pytest.mark.long
def test_intervals_hold_the_true_auroc_as_often_as_they_say_in_many_runs():
    for share in covering(runs=6000, seed=2):
        assert 0.935 < share < 0.965


def test_equal_teams_are_found_different_no_more_often_than_the_level_allows():
    stream, runs = np.random.default_rng(3), 400
    single = several = 0
    for _ in range(runs):
        labels, _, scores = drawn(stream, teams=6)
        single += paired_test(labels, scores[0], scores[1]).p_value <= 0.05
        values = np.array([auroc(labels, one) for one in scores])
        moved = np.array([of_auroc(labels, one) for one in scores])
        adjusted = holm(influence_test(values, moved, distribution="normal"))
        several += np.nanmin(adjusted) <= 0.05
    error = math.sqrt(0.05 * 0.95 / runs)
    assert single / runs < 0.05 + 3 * error
    assert several / runs < 0.05 + 3 * error


def test_equal_means_per_case_are_found_different_no_more_often_than_the_level_allows():
    stream, runs = np.random.default_rng(4), 300
    found = 0
    for run in range(runs):
        cases = stream.beta(4, 2, size=60) * 0.5 + stream.beta(2, 2, size=(3, 60)) * 0.5
        found += np.nanmin(holm(permutation_test(cases, digest=f"sha256:{run}", permutations=999))) <= 0.05
    assert found / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_intervals_of_places_hold_the_true_place():
    stream, runs = np.random.default_rng(5), 120
    truth = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    held = 0
    for run in range(runs):
        cases = truth[:, None] + stream.normal(scale=0.25, size=(5, 100)) + stream.normal(scale=0.1, size=100)
        counts = draw_counts(range(100), [0] * 100, resamples=400, digest=f"sha256:{run}")
        means = counts @ cases.T / 100
        places = 1 + (means[:, None, :] > means[:, :, None]).sum(axis=2)
        low, high = rank_intervals(places, 0.95)
        held += int(((low <= np.arange(1, 6)) & (np.arange(1, 6) <= high)).sum())
    assert held / (5 * runs) > 0.95 - 3 * math.sqrt(0.05 * 0.95 / (5 * runs))


def test_groups_of_equal_performance_differ_by_what_is_expected_of_chance():
    stream, runs, names = np.random.default_rng(7), 150, ["a", "b", "c"]
    labels, area = np.arange(240) % 2, lookup("ovr_auroc")
    found, expected, unfair = [], [], 0
    for run in range(runs):
        scores = stream.normal(size=240) + labels
        data = DatasetData(labels, np.stack([-scores, scores], axis=1))
        groups = stream.choice(names, 240, p=[0.5, 0.3, 0.2]).tolist()
        members = [np.array([[one == name for one in groups]], float) for name in names]
        chance = disparities(area, None, data, _shuffled(np.arange(240), labels, groups, names, run))
        found.append(disparities(area, None, data, members)[0])
        expected.append(chance.mean())
        unfair += (1 + (chance >= found[-1] - 1e-9).sum()) / (1 + len(chance)) <= 0.05
    error = np.std(np.subtract(found, expected)) / math.sqrt(runs)
    assert abs(np.mean(found) - np.mean(expected)) < 3 * error
    assert unfair / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
