"""Tests between submissions against scipy, enumeration and known cases."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from evaluator.comparison import holm, influence_test, permutation_test, signed_rank_test
from evaluator.metrics import influence
from evaluator.metrics.classification import auroc

DIGEST = "sha256:0"


def draws(teams, cases, seed=7):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(1, cases)) + rng.normal(0.1, 1, (teams, cases)) * np.linspace(0.5, 2, teams)[:, None]
    )


def of_means(values):
    return values.mean(axis=1), np.stack([influence.of_mean(row) for row in values])


def pairs(count):
    return itertools.combinations(range(count), 2)


def test_with_the_influence_of_means_it_is_the_paired_t_test():
    values = draws(5, 40)
    p = influence_test(*of_means(values), distribution="t")
    for one, other in pairs(5):
        assert p[one, other] == pytest.approx(stats.ttest_rel(values[one], values[other]).pvalue, rel=1e-9)


def test_with_the_influence_of_auroc_it_is_delongs_test():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 60)
    scores = np.round(rng.normal(label * 0.8, 1, (3, 60)), 1)
    values = np.array([auroc(label, one) for one in scores])
    psi = np.stack([influence.of_auroc(label, one) for one in scores])
    p = influence_test(values, psi, distribution="normal")
    for one, other in pairs(3):
        z = (values[one] - values[other]) / math.sqrt(delong_variance(label, scores[one], scores[other]))
        assert p[one, other] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def delong_variance(label, one, other):
    """Variance of the difference by DeLong's placements, from the definition: every pair compared."""
    variance = 0.0
    wins = [
        (score[label == 1][:, None] > score[label == 0])
        + 0.5 * (score[label == 1][:, None] == score[label == 0])
        for score in (one, other)
    ]
    for axis in (0, 1):
        placements = [one.mean(axis=axis) for one in wins]
        variance += np.var(placements[0] - placements[1], ddof=1) / len(placements[0])
    return variance


def test_few_cases_are_enumerated():
    values = draws(3, 8)
    p = permutation_test(values, digest=DIGEST)
    for one, other in pairs(3):
        difference = values[one] - values[other]
        sums = [abs(np.dot(signs, difference)) for signs in itertools.product((-1, 1), repeat=8)]
        assert p[one, other] == pytest.approx(np.mean([s >= abs(difference.sum()) - 1e-9 for s in sums]))


def test_many_cases_are_sampled_and_agree_with_the_t_test():
    values = draws(4, 200)
    p = permutation_test(values, digest=DIGEST)
    t = influence_test(*of_means(values), distribution="t")
    assert p[np.triu_indices(4, 1)] == pytest.approx(t[np.triu_indices(4, 1)], abs=0.01)
    assert np.array_equal(p, permutation_test(values, digest=DIGEST), equal_nan=True)
    assert not np.array_equal(p, permutation_test(values, digest="another"), equal_nan=True)


def test_an_undefined_case_does_not_count_for_its_pairs():
    values = draws(3, 9)
    values[0, 2] = np.nan
    p = permutation_test(values, digest=DIGEST)
    without = permutation_test(np.delete(values, 2, axis=1), digest=DIGEST)
    assert p[0, 1] == pytest.approx(without[0, 1])
    assert p[1, 2] == pytest.approx(permutation_test(values[1:], digest=DIGEST)[0, 1])
    many = draws(3, 60)
    many[0, 2] = np.nan
    sampled = permutation_test(many, digest=DIGEST)
    assert sampled[1, 2] == pytest.approx(permutation_test(many[1:], digest=DIGEST)[0, 1], abs=1e-4)


def test_the_signed_rank_test_is_scipys():
    values = np.round(draws(4, 30), 1)
    p = signed_rank_test(values)
    for one, other in pairs(4):
        difference = np.round(values[one] - values[other], 12)
        expected = stats.wilcoxon(difference[difference != 0]).pvalue
        assert p[one, other] == p[other, one] == pytest.approx(expected)


@pytest.mark.parametrize("test", ["influence", "permutation", "signed rank"])
def test_a_team_against_itself_is_never_told_apart_and_a_missing_team_has_no_test(test):
    values = draws(4, 12)
    values[1] = values[0]
    values[3] = np.nan
    p = {
        "influence": lambda: influence_test(values.mean(axis=1), psi_of(values), distribution="t"),
        "permutation": lambda: permutation_test(values, digest=DIGEST),
        "signed rank": lambda: signed_rank_test(values),
    }[test]()
    assert p[0, 1] == p[1, 0] == 1
    assert np.isnan(p[3]).all()
    assert np.isnan(p[:, 3]).all()
    assert np.isnan(np.diag(p)).all()
    assert np.array_equal(p, p.T, equal_nan=True)


def psi_of(values):
    return np.stack([influence.of_mean(row) if np.isfinite(row).all() else row for row in values])


def test_a_constant_margin_has_the_p_of_its_sign_flips():
    values = np.stack([np.linspace(0, 1, 10), np.linspace(0, 1, 10) + 0.25])
    p = influence_test(*of_means(values), distribution="t")
    assert p[0, 1] == pytest.approx(2 * 0.5**10)
    assert permutation_test(values, digest=DIGEST)[0, 1] == pytest.approx(2 * 0.5**10)


def test_holm_is_the_textbooks():
    p = matrix([0.01, 0.04, 0.03, 0.005, math.nan, 0.5])
    upper = holm(p)[np.triu_indices(4, 1)]  # sorted .005 .01 .03 .04 .5, times 5 4 3 2 1, never falling
    assert upper[[0, 1, 2, 3, 5]] == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.5])
    assert np.isnan(upper[4])
    assert np.array_equal(holm(p), holm(p).T, equal_nan=True)
    assert holm(matrix([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])).max(initial=0, where=~np.eye(4, dtype=bool)) == 1


def matrix(upper):
    p = np.full((4, 4), np.nan)
    p[np.triu_indices(4, 1)] = upper
    return np.where(np.isnan(p), p.T, p)


@pytest.mark.parametrize("teams", [30])
def test_a_perfect_separation_among_thirty_teams_is_significant_after_holm(teams):
    rng = np.random.default_rng(30)
    values = rng.uniform(0, 0.01, (teams, 107)) + np.arange(teams)[:, None] * 0.03
    upper = np.triu_indices(teams, 1)
    for p in (
        permutation_test(values, digest=DIGEST),
        influence_test(*of_means(values), distribution="t"),
        signed_rank_test(values),
    ):
        assert holm(p)[upper].max() < 0.05
    from_replicates = np.full((teams, teams), 2 / 1001)  # the smallest p that 1,000 replicates can give
    assert holm(from_replicates)[upper].min() > 0.05


def test_tests_keep_their_level_under_the_null():
    rng = np.random.default_rng(5)
    found = [permutation_test(rng.exponential(size=(2, 14)), digest=DIGEST)[0, 1] <= 0.05 for _ in range(150)]
    assert np.mean(found) <= 0.1


@pytest.mark.parametrize("huge", [1e9, 1e16, 1e200, -1.7e308])
def test_a_team_with_huge_values_does_not_change_the_test_of_two_others(huge):
    stream = np.random.default_rng(3)
    better = stream.random(8)
    worse = better - stream.random(8) * 0.1 - 0.01
    alone = permutation_test(np.stack([better, worse]), digest="x")[0, 1]
    among = permutation_test(np.stack([better, worse, np.full(8, huge)]), digest="x")
    assert alone == 1 / 128
    assert among[0, 1] == alone
    assert (among[~np.eye(3, dtype=bool)] >= 1 / 128).all()


def test_influence_too_huge_to_be_squared_tells_nobody_apart_and_leaves_other_pairs_alone():
    values, moved = np.array([1e307, 3.0, 5.0]), np.full((3, 6), 0.1)
    moved[0], moved[1] = 1e200, np.linspace(-1, 1, 6)
    p = influence_test(values, moved, distribution="t")
    assert p[0, 1] == p[0, 2] == 1
    assert p[1, 2] == influence_test(values[1:], moved[1:], distribution="t")[0, 1] < 1
