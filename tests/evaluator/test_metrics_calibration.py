import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from evaluator.metrics import NotScored
from evaluator.metrics.calibration import brier, calibration_error, ovr_brier, ovr_calibration_error

CHANCES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
CASES = st.lists(st.tuples(st.integers(0, 1), CHANCES), min_size=1, max_size=40)


def plain_error(label, chance, bins):
    """Bin by bin, as it is defined."""
    total = 0.0
    for number in range(bins):
        inside = [
            (one, p)
            for one, p in zip(label, chance, strict=True)
            if (number / bins < p or number == 0) and p <= (number + 1) / bins
        ]
        if inside:
            ones, chances = zip(*inside, strict=True)
            total += len(inside) * abs(np.mean(chances) - np.mean(ones))
    return total / len(label)


@settings(max_examples=25, deadline=None)
@given(CASES)
def test_brier_score_is_that_of_scikit_learn(cases):
    label, chance = np.array(cases).T
    assert brier(label, chance) == pytest.approx(brier_score_loss(label, chance, pos_label=1), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(CASES, st.sampled_from([1, 2, 4, 10]))
def test_calibration_error_is_the_mean_gap_of_the_bins(cases, bins):
    label, chance = np.array(cases).T
    assert calibration_error(label, chance, bins=bins) == pytest.approx(plain_error(label, chance, bins))


@settings(max_examples=25, deadline=None)
@given(CASES)
def test_naming_the_classes_the_other_way_round_changes_no_brier_score(cases):
    label, chance = np.array(cases).T
    assert brier(1 - label, 1 - chance) == pytest.approx(brier(label, chance), abs=1e-12)
    both = np.stack([1 - chance, chance], axis=1)
    assert ovr_brier(label, both) == pytest.approx(brier(label, chance), abs=1e-12)


def test_probabilities_that_mean_what_they_say_have_no_calibration_error():
    assert calibration_error([0, 0, 0, 1], [0.25] * 4) == 0
    assert calibration_error([0, 1], [0.0, 1.0]) == 0
    assert calibration_error([1, 0], [0.0, 1.0]) == 1
    assert ovr_calibration_error([0, 1, 2], np.eye(3)) == 0


def test_scores_that_are_no_probabilities_are_not_scored():
    for metric in (brier, calibration_error):
        with pytest.raises(NotScored, match="probabilities"):
            metric([0, 1], [0.5, 1.5])
        with pytest.raises(NotScored):
            metric([], [])
    for metric in (ovr_brier, ovr_calibration_error):
        with pytest.raises(NotScored, match="probabilities"):
            metric([0, 1], [[0.5, -0.5], [0, 1]])


def test_there_is_at_least_one_bin():
    with pytest.raises(ValueError, match="bin"):
        calibration_error([0, 1], [0.1, 0.2], bins=0)
