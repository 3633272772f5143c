from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from evaluator.metrics import DatasetData, NotScored
from evaluator.metrics.registry import lookup
from evaluator.metrics.regression import mae, pearson, r2, rmse, spearman

AGES = st.lists(st.tuples(st.floats(0, 120), st.floats(-1e4, 1e4)), min_size=2, max_size=30)


@settings(max_examples=25, deadline=None)
@given(AGES)
def test_mae_is_that_of_scikit_learn(cases):
    true, predicted = np.array(cases).T
    assert mae(true, predicted) == pytest.approx(mean_absolute_error(true, predicted), rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(-100, 100)), min_size=3, max_size=30))
def test_pearson_is_that_of_scipy(cases):
    true, predicted = np.array(cases, float).T
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        with pytest.raises(NotScored):
            pearson(true, predicted)
    else:
        assert pearson(true, predicted) == pytest.approx(pearsonr(true, predicted).statistic, abs=1e-12)


def test_a_constant_prediction_has_no_correlation_however_it_is_rounded():
    for constant in (0.0, 0.1, 63.7, 1e300, -100.0):
        with pytest.raises(NotScored, match="constant predictions"):
            pearson([40.0, 50.0, 61.0], [constant] * 3)
    with pytest.raises(NotScored, match="constant labels"):
        pearson([40.0, 40.0], [1.0, 2.0])
    with pytest.raises(NotScored):
        pearson([40.0], [41.0])
    with pytest.raises(NotScored):
        mae([], [])


def test_huge_and_tiny_numbers_stay_finite():
    true = [40.0, 50.0, 60.0]
    assert pearson(true, [1e308, -1e308, 1e308]) == pytest.approx(0, abs=1e-12)
    assert pearson(true, [1e-320, 2e-320, 3e-320]) == pytest.approx(1, abs=1e-3)
    assert pearson(true, [1.7e308, 1.75e308, 1.79e308]) == pytest.approx(0.998, abs=1e-3)
    assert mae(true, [1.7e308] * 3) == pytest.approx(1.7e308)


@settings(max_examples=25, deadline=None)
@given(AGES)
def test_correlations_stay_between_minus_one_and_one(cases):
    true, predicted = np.array(cases).T
    with suppress(NotScored):
        assert -1 <= pearson(true, predicted) <= 1


@pytest.mark.parametrize(("true", "predicted"), [([1, 2], [1]), ([1, np.nan], [1, 2]), ([1, 2], [1, np.inf])])
def test_numbers_that_make_no_sense_are_refused(true, predicted):
    for metric in (mae, pearson):
        with pytest.raises(ValueError, match=r"labels|predictions|finite"):
            metric(true, predicted)


PAIRS = st.lists(st.tuples(st.integers(0, 100), st.integers(-100, 100)), min_size=3, max_size=30)


@settings(max_examples=25, deadline=None)
@given(AGES)
def test_rmse_is_that_of_scikit_learn_and_at_least_mae(cases):
    true, predicted = np.array(cases).T
    assert rmse(true, predicted) == pytest.approx(root_mean_squared_error(true, predicted), rel=1e-12)
    assert rmse(true, predicted) >= mae(true, predicted) * (1 - 1e-12)


@settings(max_examples=25, deadline=None)
@given(PAIRS)
def test_r2_is_that_of_scikit_learn(cases):
    true, predicted = np.array(cases, float).T
    if np.ptp(true) == 0:
        with pytest.raises(NotScored):
            r2(true, predicted)
    else:
        assert r2(true, predicted) == pytest.approx(r2_score(true, predicted), rel=1e-9, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(PAIRS)
def test_spearman_is_that_of_scipy_and_sees_the_order_only(cases):
    true, predicted = np.array(cases, float).T
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        with pytest.raises(NotScored):
            spearman(true, predicted)
    else:
        assert spearman(true, predicted) == pytest.approx(spearmanr(true, predicted).statistic, abs=1e-12)
        assert spearman(true, predicted**3) == pytest.approx(spearman(true, predicted), abs=1e-12)
        assert spearman(true, -predicted) == pytest.approx(-spearman(true, predicted), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_cases_changes_no_metric(cases, random):
    shuffled = random.sample(cases, len(cases))
    for metric in (mae, rmse, r2, pearson, spearman):
        with suppress(NotScored):
            one, other = (metric(*np.array(order, float).T) for order in (cases, shuffled))
            assert one == pytest.approx(other, rel=1e-9, abs=1e-12)


def test_a_perfect_prediction_has_the_best_values():
    true = [20.0, 40.0, 70.0]
    assert (mae(true, true), rmse(true, true), r2(true, true), spearman(true, true)) == (0, 0, 1, 1)
    assert r2(true, [np.mean(true)] * 3) == pytest.approx(0)
    assert rmse([0.0, 0.0], [1e200, -1e200]) == pytest.approx(1e200)
    with pytest.raises(NotScored):
        rmse([], [])


@pytest.mark.parametrize("offset", [0.0, 1e16, -1e16])
def test_what_all_numbers_share_changes_no_correlation(offset):
    assert pearson([1, 2, 3], [offset, offset + 2, offset + 4]) == pytest.approx(1, abs=1e-12)
    assert pearson([1, 2, 4], [offset, offset + 4, offset + 2]) == pytest.approx(
        pearson([1, 2, 4], [0, 4, 2]), abs=1e-12
    )


@pytest.mark.parametrize(
    ("name", "of_one", "predicted"),
    [
        ("pearson", pearson, [1e16, 1e16 + 2, 1e16 + 4, 1e16 + 2]),
        ("pearson", pearson, [1.0, 1e200, 3.0, 2.0]),
        ("pearson", pearson, [1.1, 1e6, 3.3, 2.7]),
        ("rmse", rmse, [1e200, -1e200, 3.0, 1e190]),
        ("rmse", rmse, [1.0, 2.0, 3.0, 5.0]),
    ],
)
def test_replicates_of_huge_numbers_are_the_metric_of_the_repeated_cases(name, of_one, predicted):
    data = DatasetData(np.array([1.0, 2, 3, 5]), np.array(predicted), {})
    counts = np.array([[1.0, 1, 1, 1], [2, 0, 1, 1], [0, 2, 1, 1]])
    found = lookup(name).replicates(data, counts, lookup(name).parse({}))
    assert np.isfinite(found).all()
    for row, value in zip(counts, found, strict=True):
        cases = np.repeat(np.arange(4), row.astype(int))
        assert value == pytest.approx(of_one(data.labels[cases], data.scores[cases]), rel=1e-9)


@pytest.mark.parametrize("unit", [0.001, 0.1, 1.0, 1000.0])
def test_rmse_of_errors_of_3_and_4_is_the_root_of_12_and_a_half_in_every_unit(unit):
    assert rmse([0.0, 0.0], [3 * unit, -4 * unit]) == pytest.approx(np.sqrt(12.5) * unit, rel=1e-12)


def test_two_cases_that_differ_have_an_r2():
    assert r2([0.0, 2.0], [1.0, 2.0]) == 1 - 1 / 2
    with pytest.raises(NotScored):
        r2([1.0], [1.0])


def test_no_line_correlates_by_more_than_one_however_it_is_rounded():
    random = np.random.default_rng(11)
    lines = [(x, 3 * x + 1) for x in random.normal(50, 15, (200, 7))]
    assert max(pearson(x, y) for x, y in lines) <= 1
    assert min(pearson(x, -y) for x, y in lines) >= -1
