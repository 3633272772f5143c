"""Intervals of differences for all pairs at once, how often a team is better in a case, and one family over a track."""

import math

import numpy as np
import pytest
from scipy import stats

from evaluator.comparison import holm, permutation_test, step_down, superiority
from evaluator.comparison._differences import Differences, PairBounds
from evaluator.comparison._families import families
from evaluator.comparison._pairwise import _chernoff
from evaluator.comparison._tests import ColumnTests
from evaluator.metrics.influence import of_mean
from evaluator.metrics.intervals import FISHER, LOG, freedom
from evaluator.ranking import Column, Table
from evaluator.spec import Ranking

UPPER = np.triu_indices(4, 1)


def cases_of(teams=4, cases=30, seed=3):
    stream = np.random.default_rng(seed)
    return stream.normal(size=cases) + stream.normal(size=(teams, cases)) + 0.4 * np.arange(teams)[:, None]


def of_means(cases, **how):
    return Differences.of(cases.mean(axis=1), np.stack([of_mean(row) for row in cases]), **how)


def test_intervals_of_means_are_those_of_the_paired_t_test_at_an_equal_part_of_the_level():
    cases = cases_of()
    bounds = of_means(cases, distribution="t").bounds(0.95)
    for one, other in zip(*UPPER, strict=True):
        found = stats.ttest_rel(cases[one], cases[other]).confidence_interval(1 - 0.05 / 6)
        assert (bounds.low[one, other], bounds.high[one, other]) == pytest.approx(tuple(found))
        assert bounds.low[other, one] == pytest.approx(-bounds.high[one, other])


@pytest.mark.parametrize("way", [None, FISHER, LOG])
def test_an_interval_without_0_is_of_a_pair_that_is_told_apart_on_every_scale(way):
    stream, apart, outside = np.random.default_rng(4), 0, 0
    for _ in range(40):
        values = stream.uniform(0.3, 0.9, size=6)
        moved = stream.normal(size=(6, 25)) * stream.uniform(0.01, 0.03, size=(6, 1))
        found = Differences.of(values, moved, distribution="estimated", scale=way and way.scale)
        bounds, p = found.bounds(0.95), holm(found.p())
        sure = (bounds.low > 0) | (bounds.high < 0)
        assert (p[sure] <= 0.05).all()
        places = values if way is None else np.array([way.scale.to(value) for value in values.tolist()])
        assert found.values[0, 1:] == pytest.approx(places[0] - places[1:])
        apart, outside = apart + (p <= 0.05).sum(), outside + sure.sum()
    assert 0 < outside <= apart


def test_where_nothing_varies_there_is_no_interval_and_a_team_without_a_value_has_none():
    cases = cases_of()
    cases[1] = cases[0] + 0.25
    cases[3] = np.nan
    values = cases.mean(axis=1)
    moved = np.stack([of_mean(row) if np.isfinite(row).all() else row for row in cases])
    bounds = Differences.of(values, moved, distribution="t").bounds(0.95)
    assert np.isnan(bounds.low[0, 1])
    assert np.isfinite(bounds.low[0, 2])
    assert np.isnan(bounds.high[3]).all()
    assert np.isnan(np.diag(bounds.low)).all()


@pytest.mark.parametrize("higher", [True, False])
def test_superiority_counts_cases_with_the_bounds_of_clopper_and_pearson(higher):
    cases = np.round(cases_of(), 1)
    cases[0, :3] = np.nan
    found = superiority(cases, higher_is_better=higher, level=0.95, independent=True)
    sign = 1 if higher else -1
    for one, other in zip(*UPPER, strict=True):
        lead = sign * (cases[one] - cases[other])[np.isfinite(cases[one] - cases[other])]
        wins, ties = int((lead > 1e-9).sum()), int((np.abs(lead) <= 1e-9).sum())
        assert found.values[one, other] == pytest.approx((wins + ties / 2) / len(lead))
        assert found.values[one, other] + found.values[other, one] == pytest.approx(1)
        assert found.bounds.low[one, other] == pytest.approx(1 - found.bounds.high[other, one])
        if not ties:
            exact = stats.binomtest(wins, len(lead)).proportion_ci(1 - 0.05 / 6)
            assert (found.bounds.low[one, other], found.bounds.high[one, other]) == pytest.approx(
                (exact.low, exact.high)
            )
    assert np.isnan(np.diag(found.values)).all()


def test_superiority_in_every_or_no_case_ends_at_1_and_0():
    found = superiority(
        np.stack([np.ones(20), np.zeros(20)]), higher_is_better=True, level=0.95, independent=True
    )
    assert found.values[0, 1] == found.bounds.high[0, 1] == 1
    assert found.bounds.low[0, 1] == pytest.approx(0.025 ** (1 / 20))
    assert (found.values[1, 0], found.bounds.low[1, 0]) == (0, 0)


def test_superiority_over_several_cases_of_a_subject_has_no_bounds():
    found = superiority(cases_of(), higher_is_better=True, level=0.95, independent=False)
    assert found.bounds is None
    assert np.isfinite(found.values[UPPER]).all()


@pytest.mark.parametrize("ties", [0.0, 0.4])
def test_bounds_of_superiority_hold_for_all_pairs_at_once(ties):
    stream, runs, held = np.random.default_rng(5), 400, 0
    for _ in range(runs):
        cases = np.where(stream.random((5, 25)) < ties, 0, stream.normal(size=(5, 25)))
        bounds = superiority(cases, higher_is_better=True, level=0.95, independent=True).bounds
        held += np.nanmax(bounds.low) <= 0.5
    assert held / runs >= 0.945


def test_the_bound_of_a_permutation_p_is_above_the_exact_one_and_not_far():
    stream = np.random.default_rng(6)
    patterns = 1 - 2.0 * ((np.arange(2**14)[:, None] >> np.arange(14)) & 1)
    for shift in (0.5, 1, 2, 100):
        differences = stream.normal(size=14) + shift
        reached = abs(differences.sum())
        exact = (np.abs(patterns @ differences) >= reached - 1e-9).mean()
        bound = _chernoff(np.abs(differences)[None], np.array([reached]))[0]
        assert exact <= bound <= 15 * exact


def test_random_patterns_that_never_are_as_extreme_still_tell_apart_among_all_pairs_and_metrics_of_fifty_teams():
    stream = np.random.default_rng(7)
    cases = stream.normal(size=(3, 60)) + np.array([0, 0.02, 3])[:, None]
    p = permutation_test(cases, digest="sha256:0")
    tests = 12 * math.comb(50, 2)
    assert 2 * 0.5**60 <= p[0, 2] < 0.05 / tests < 1e-5
    assert p[0, 1] > 1e-5


def track_of(stream, teams, metrics, cases):
    """The tests of equal teams in several metrics that are means of cases, of which half is common to all metrics."""
    common = stream.normal(size=(teams, cases))
    rows = (common + stream.normal(size=(metrics, teams, cases))) / math.sqrt(2)
    tested = {}
    for number, row in enumerate(rows):
        found = of_means(row, distribution="t")
        tested[number] = ColumnTests(
            "paired t", cases, found.p(), None, found.values, found.bounds(0.95), None
        )
    columns = tuple(Column("one", str(number), True, False) for number in range(metrics))
    names = tuple(f"team{number}" for number in range(teams))
    return families(RANKING, Table(names, columns, rows.mean(axis=2)), tested, 0.95)


RANKING = Ranking.model_validate({"weights": {"one": 1}})


def test_who_says_better_anywhere_in_a_track_of_equal_teams_errs_in_5_of_100():
    stream, runs = np.random.default_rng(8), 250
    anywhere, by_metric, uncorrected, outside = 0, 0, 0, 0
    for _ in range(runs):
        pairs = [[*tests.pairs] for tests in track_of(stream, 6, 8, 25).values()]
        every = [pair for of_metric in pairs for pair in of_metric]
        anywhere += any(pair.apart(0.95) for pair in every)
        by_metric += any(pair.adjusted <= 0.05 for pair in every)
        uncorrected += any(pair.p <= 0.05 for pair in every)
        outside += any(not pair.low <= 0 <= pair.high for pair in pairs[0])
        assert [pair.adjusted_in_track for pair in every] == pytest.approx(
            step_down(np.array([pair.p for pair in every]))
        )
    assert anywhere / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert outside / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert by_metric / runs > 0.15
    assert uncorrected / runs > 0.9


NOWHERE = PairBounds(np.full((2, 2), np.nan), np.full((2, 2), np.nan))


def test_groups_of_a_metric_follow_from_the_tests_of_the_whole_track():
    p = np.array([[np.nan, 0.01], [0.01, np.nan]])
    columns = tuple(Column("one", str(number), True, False) for number in range(20))
    values = np.tile([0.1, 0.9], (20, 1))

    def tests(metrics):
        tested = dict.fromkeys(range(metrics), ColumnTests("paired t", 25, p, None, p, NOWHERE, None))
        return families(RANKING, Table(("a", "b"), columns[:metrics], values[:metrics]), tested, 0.95)[0]

    assert (tests(1).pairs[0].adjusted_in_track, tests(1).groups) == (0.01, {"a": 2, "b": 1})
    assert (tests(20).pairs[0].adjusted_in_track, tests(20).groups) == (0.2, {"a": 1, "b": 1})
    assert tests(20).pairs[0].adjusted == 0.01
    assert tests(20).pairs[0].low is tests(20).pairs[0].superiority is None


@pytest.mark.parametrize("way", [FISHER, LOG])
def test_scales_of_heavy_tailed_errors_cost_degrees_of_freedom(way):
    stream = np.random.default_rng(10)
    values, moved = stream.uniform(0.3, 0.9, size=3), 0.02 * stream.normal(size=(3, 20))
    found = Differences.of(values, moved, distribution="estimated", scale=way.scale)
    slopes = np.array([way.scale.slope(value) for value in values.tolist()])
    between = slopes[0] * moved[0] - slopes[1] * moved[1]
    assert found.degrees[0, 1] == pytest.approx(freedom(between) - 2)
    assert found.errors[0, 1] == pytest.approx(math.sqrt((between**2).sum() * 19 / 17))
    p = 2 * stats.t.sf(abs(found.values[0, 1]) / found.errors[0, 1], found.degrees[0, 1])
    assert found.p()[0, 1] == pytest.approx(p)
