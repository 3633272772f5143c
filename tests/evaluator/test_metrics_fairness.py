import pytest

from evaluator.metrics import NotScored
from evaluator.metrics.fairness import fairness, groups_of
from evaluator.spec import GroupVariable


def test_fairness_is_the_mean_over_variables_of_one_minus_the_disparity():
    values = {"sex": {"f": 0.9, "m": 0.7}, "age": {"young": 0.5, "middle": 0.8, "old": 0.6}}
    assert fairness(values) == pytest.approx((0.8 + 0.7) / 2)


def test_groups_without_a_value_are_left_out():
    assert fairness({"sex": {"f": 0.9, "m": None, "x": 0.8}}) == pytest.approx(0.9)


def test_a_variable_with_one_valid_group_has_no_disparity():
    assert fairness({"sex": {"f": 0.3, "m": None}}) == 1.0


def test_a_variable_without_a_valid_group_is_left_out():
    assert fairness({"sex": {"f": None}, "age": {"young": 0.5, "old": 0.75}}) == 0.75
    for nothing in ({}, {"sex": {}}, {"sex": {"f": None}}):
        with pytest.raises(NotScored):
            fairness(nothing)


def test_text_is_compared_in_lower_case():
    sex = GroupVariable(variable="sex")
    assert groups_of(sex, ["F", "f ", "M", None, ""]) == ["f", "f", "m", None, None]


def test_bins_include_their_upper_bound():
    age = GroupVariable(variable="age", bins=(40, 60, 80, 200))
    young, older, oldest = "<= 40", "40 < x <= 60", "80 < x <= 200"
    assert groups_of(age, [18, 40, 40.5, "60", 200, 201, None, "?", float("nan")]) == [
        young, young, older, older, oldest, None, None, None, None,
    ]  # fmt: skip
