"""Test-then-rank: places by how many others a team is significantly better than."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon

from evaluator.ranking import aggregate_resamples, explain, rank
from evaluator.ranking._significance import _signed_rank, wins
from tests.evaluator.test_ranking_rules import BOARDS, dsc, rule

TEST_THEN_RANK = rule(method="test_then_rank")
OF_CHALLENGER = json.loads((Path(__file__).parents[1] / "data" / "test_then_rank.json").read_text())


def one_by_one(cases):
    """Wins from scipy's tests, which are R's, and Holm's correction as it is defined."""
    teams = [number for number in range(len(cases)) if np.isfinite(cases[number]).any()]
    tests = []
    for one in teams:
        for other in teams:
            differences = np.round(cases[one] - cases[other], 12)
            differences = differences[np.isfinite(differences) & (differences != 0)]
            if one != other:
                how = {"alternative": "greater", "correction": True, "method": "asymptotic"}
                tests.append((wilcoxon(differences, **how).pvalue if len(differences) else 1.0, one))
    found = np.where(np.isfinite(cases).any(axis=1), 0.0, np.nan)
    for number, (p, one) in enumerate(sorted(tests)):
        if p * (len(tests) - number) > 0.05:
            break
        found[one] += 1
    return found


@pytest.mark.parametrize("seed", range(6))
def test_wins_are_those_of_scipys_tests_also_of_repeated_cases(seed):
    random = np.random.default_rng(seed)
    cases = (0.03 * np.arange(5)[:, None] + random.normal(0, 0.1, (5, 30))).round(2)
    cases[0, 3:9] = np.nan
    cases[1, 4] = cases[2, 4]
    if seed % 2:
        cases[3] = np.nan
    counts = random.multinomial(30, np.full(30, 1 / 30), size=5).astype(float)
    counts[0] = 1
    found = wins(cases, counts)
    for row, drawn in zip(found, counts, strict=True):
        np.testing.assert_array_equal(row, one_by_one(np.repeat(cases, drawn.astype(int), axis=1)))
    assert np.nanmax(found[0]) > 0


@pytest.mark.parametrize("cases", [1, 2, 7, 60])
def test_the_test_of_a_pair_is_wilcoxons_with_ties(cases):
    differences = np.random.default_rng(cases).integers(-3, 6, cases).astype(float)
    up, down = _signed_rank(differences, np.ones((1, cases)))
    used = differences[differences != 0]
    for found, alternative in ((up, "greater"), (down, "less")):
        how = {"alternative": alternative, "correction": True, "method": "asymptotic"}
        expected = wilcoxon(used, **how).pvalue if len(used) else 1.0
        assert found[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("task", OF_CHALLENGER["tasks"])
def test_wins_and_places_are_those_of_r_as_challenger_calls_it(task):
    """See the data's readme for how its numbers were made."""
    given = OF_CHALLENGER["tasks"][task]
    rows = [dsc(team, *values) for team, values in given["values"].items()]
    found = {one.team: one.placement for one in rank(TEST_THEN_RANK, BOARDS, rows).tracks["open"]}
    assert found == given["places"]
    cases = np.array(list(given["values"].values()))
    assert wins(cases, np.ones((1, cases.shape[1])))[0].tolist() == list(given["wins"].values())


def test_teams_that_cannot_be_told_apart_share_a_place_however_their_means_lie():
    base = np.random.default_rng(1).uniform(0.5, 0.8, 25)
    noise = np.random.default_rng(2).normal(0, 0.1, 25)
    rows = dsc("a", *(base + 0.2)), dsc("b", *(base + 0.001 + noise)), dsc("c", *base)
    found = {one.team: one.placement for one in rank(TEST_THEN_RANK, BOARDS, rows).tracks["open"]}
    assert found == {"a": 1, "b": 2, "c": 2}
    assert "number of teams that a team is better than" in " ".join(explain(TEST_THEN_RANK, BOARDS))


def test_a_team_without_any_case_in_a_resample_has_no_wins():
    terms, counts = np.array([[np.nan, 0.5], [0.25, 0.5]]), np.array([[2.0, 0.0]])
    found = aggregate_resamples(TEST_THEN_RANK, terms, counts)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 0
