"""Sets of places: what they are, where they come from, and that they hold the true places as often as they say."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from evaluator.comparison import rank_sets
from evaluator.comparison._centres import centres

DATA = Path(__file__).parents[1] / "data"


def naive(observed, deviations, level):
    """Simultaneous and marginal sets of ranks pair by pair, as Mogstad and others (2024) describe them.

    A difference's error is studentised by its standard deviation in the draws, and compared with the quantile of the
    largest one: of all pairs, or of the pairs of one team.
    """
    teams, draws = len(observed), len(deviations)

    def error(one, other):
        return [deviations[draw][one] - deviations[draw][other] for draw in range(draws)]

    def deviation(errors):
        mean = sum(errors) / draws
        return math.sqrt(sum((value - mean) ** 2 for value in errors) / draws), mean

    def bound(pairs):
        largest = [0.0] * draws
        for one, other in pairs:
            errors = error(one, other)
            spread, mean = deviation(errors)
            largest = [
                max(most, abs(value - mean) / spread) for most, value in zip(largest, errors, strict=True)
            ]
        return sorted(largest)[math.ceil((draws + 1) * level - 1e-9) - 1]

    def places(team, most):
        others = [other for other in range(teams) if other != team]
        score = {
            other: (observed[other] - observed[team]) / deviation(error(team, other))[0] for other in others
        }
        ahead, behind = (sum(sign * score[other] > most for other in others) for sign in (-1, 1))
        return 1 + ahead, teams - behind

    joint = bound(list(itertools.combinations(range(teams), 2)))
    alone = [bound([(team, other) for other in range(teams) if other != team]) for team in range(teams)]
    return [places(team, joint) for team in range(teams)], [
        places(team, alone[team]) for team in range(teams)
    ]


def test_sets_are_those_of_the_published_algorithm_pair_by_pair():
    stream = np.random.default_rng(1)
    for teams in (2, 3, 7):
        errors = stream.normal(size=(199, teams)) * stream.uniform(0.5, 2, teams) + stream.normal(
            size=(199, 1)
        )
        observed = stream.normal(scale=3, size=teams)
        found = rank_sets(observed, errors, 0.95)
        joint, alone = naive(observed.tolist(), errors.tolist(), 0.95)
        assert list(zip(found.low.tolist(), found.high.tolist(), strict=True)) == joint
        assert list(zip(found.alone_low.tolist(), found.alone_high.tolist(), strict=True)) == alone


@pytest.mark.parametrize("case", json.loads((DATA / "csranks.json").read_text())["cases"])
def test_sets_are_those_of_csranks(case):
    """`source` in the file says how they were made."""
    draws = np.random.default_rng(10).multivariate_normal(
        np.zeros(len(case["x"])), case["covariance"], 20_000
    )
    found = rank_sets(-np.array(case["x"]), draws, 0.95)  # there the highest is first
    assert {"low": found.low.tolist(), "high": found.high.tolist()} == case["joint"]
    assert {"low": found.alone_low.tolist(), "high": found.alone_high.tolist()} == case["alone"]


def test_the_order_of_the_sets_is_that_of_the_differences():
    errors = np.random.default_rng(2).normal(size=(999, 4))
    found = rank_sets(np.array([0.0, 1.0, 20.0, 21.0]), errors, 0.95)
    assert found.low.tolist() == [1, 1, 3, 3]
    assert found.high.tolist() == [2, 2, 4, 4]
    assert found.ahead.tolist() == [
        [False, False, True, True],
        [False, False, True, True],
        [False] * 4,
        [False] * 4,
    ]
    assert (found.apart == (found.ahead | found.ahead.T)).all()


def test_a_team_alone_has_no_more_places_than_among_all():
    stream = np.random.default_rng(3)
    for _ in range(20):
        found = rank_sets(stream.normal(scale=2, size=8), stream.normal(size=(300, 8)), 0.95)
        assert (found.low <= found.alone_low).all()
        assert (found.alone_high <= found.high).all()
        assert (found.alone_low <= found.alone_high).all()


def test_teams_without_a_number_are_behind_all_others_and_not_apart():
    errors = np.random.default_rng(4).normal(size=(199, 4))
    found = rank_sets(np.array([np.nan, 0.0, np.nan, 0.5]), errors, 0.95)
    assert found.low.tolist() == [3, 1, 3, 1]
    assert found.high.tolist() == [4, 2, 4, 2]
    nobody = rank_sets(np.array([np.nan, np.nan]), errors[:, :2], 0.95)
    assert (nobody.low.tolist(), nobody.high.tolist()) == ([1, 1], [2, 2])


def test_equal_values_are_never_apart_and_a_margin_that_no_draw_moves_always_is():
    same = np.random.default_rng(5).normal(size=(199, 1)) * np.ones((1, 3))
    found = rank_sets(np.array([1.0, 1.0 + 1e-10, 1.5]), same, 0.95)
    assert found.low.tolist() == [1, 1, 3]
    assert found.high.tolist() == [2, 2, 3]


def test_too_few_draws_exclude_nothing():
    few = np.random.default_rng(6).normal(size=(18, 3))
    found = rank_sets(np.array([0.0, 50.0, 100.0]), few, 0.95)  # 19 draws are the fewest of 95 %
    assert (found.low.tolist(), found.high.tolist()) == ([1, 1, 1], [3, 3, 3])
    enough = np.random.default_rng(6).normal(size=(19, 3))
    assert rank_sets(np.array([0.0, 50.0, 100.0]), enough, 0.95).low.tolist() == [1, 2, 3]


def test_where_ties_leave_no_place_out_a_place_may_be_as_low_as_the_longest_chain_of_better_teams():
    errors = np.random.default_rng(7).normal(size=(199, 4))
    observed = np.array([0.0, 0.1, 30.0, np.nan])
    assert rank_sets(observed, errors, 0.95).low.tolist() == [1, 1, 3, 4]
    assert rank_sets(observed, errors, 0.95, dense=True).low.tolist() == [1, 1, 2, 3]


def test_a_difference_that_moves_in_a_few_draws_only_is_not_studentised_by_next_to_nothing():
    errors = np.random.default_rng(8).normal(size=(199, 4)) * np.array([1, 1, 0, 0])
    errors[:11, 3] = 0.01  # of the last two: in a few draws, and then by little
    observed = np.array([0.0, 4.0, 8.0, 12.0])
    assert rank_sets(observed, errors, 0.95).low[2] == 2  # as if 4 could be chance
    assert rank_sets(observed, errors, 0.95, floor=0.5).low[2] == 3


def test_estimates_are_drawn_together_as_far_as_their_noise_explains_their_distance():
    stream = np.random.default_rng(9)
    noise = stream.normal(size=(400, 50, 10))
    near = stream.normal(size=(50, 10))
    found = centres(near, noise)
    assert found.var(axis=1).mean() < 0.4 * near.var(axis=1).mean()
    broken = np.where(np.arange(10) == 9, -300.0, near)
    found = centres(broken, noise)
    assert (
        found[:, :9].var(axis=1).mean() < 0.4 * near[:, :9].var(axis=1).mean()
    )  # in spite of one far from all
    assert found[:, 9] == pytest.approx(np.full(50, -300))
    far = np.arange(10) * 50.0 * np.ones((50, 1))
    assert centres(far, noise) == pytest.approx(far)


def test_values_that_nothing_moves_and_missing_ones_stay():
    gaps = np.array([[np.nan, 1.0, 2.0]])
    found = centres(gaps, np.zeros((5, 1, 3)))
    assert np.isnan(found).tolist() == [[True, False, False]]
    assert found[0, 1:].tolist() == [1, 2]


def test_two_teams_alone_are_taken_for_equal_unless_they_are_far_apart():
    noise = np.random.default_rng(11).normal(size=(4000, 1, 2))  # a difference has an error of 1.41
    assert centres(np.array([[0.0, 3.0]]), noise).tolist() == [[1.5, 1.5]]
    assert centres(np.array([[0.0, 6.0]]), noise).tolist() == [[0, 6]]
