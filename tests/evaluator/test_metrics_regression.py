from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error

from evaluator.metrics import NotScored
from evaluator.metrics.regression import mae, pearson

AGES = st.lists(st.tuples(st.floats(0, 120), st.floats(-1e4, 1e4)), min_size=2, max_size=30)


@settings(max_examples=50, deadline=None)
@given(AGES)
def test_mae_is_that_of_scikit_learn(cases):
    true, predicted = np.array(cases).T
    assert mae(true, predicted) == pytest.approx(mean_absolute_error(true, predicted), rel=1e-12)


@settings(max_examples=50, deadline=None)
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


@settings(max_examples=50, deadline=None)
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
