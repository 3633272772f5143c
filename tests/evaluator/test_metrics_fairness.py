import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.metrics import DatasetData, NotScored
from evaluator.metrics.fairness import disparities, fairness
from evaluator.metrics.registry import lookup
from evaluator.scoring import groups_of
from evaluator.scoring._chance import _shuffled
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


VALUES = st.dictionaries(st.sampled_from("abcdef"), st.none() | st.floats(0, 1), min_size=1, max_size=6)
VARIABLES = st.dictionaries(st.sampled_from(["sex", "age", "site"]), VALUES, min_size=1, max_size=3)


def known(values):
    return [value for groups in values.values() for value in groups.values() if value is not None]


@settings(max_examples=50, deadline=None)
@given(VARIABLES.filter(known), st.permutations("abcdef"))
def test_fairness_knows_neither_the_names_nor_the_order_of_groups(values, names):
    renamed = {
        variable: {names["abcdef".index(group)]: value for group, value in reversed(groups.items())}
        for variable, groups in reversed(values.items())
    }
    assert fairness(renamed) == pytest.approx(fairness(values), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(VARIABLES.filter(known))
def test_fairness_lies_between_0_and_1_and_is_1_where_all_groups_agree(values):
    assert 0 <= fairness(values) <= 1
    equal = {
        variable: {group: None if value is None else 0.4 for group, value in groups.items()}
        for variable, groups in values.items()
    }
    assert fairness(equal) == 1


@settings(max_examples=50, deadline=None)
@given(VARIABLES.filter(known), st.floats(0, 1))
def test_one_more_group_never_makes_a_variable_fairer(values, value):
    variable = next(
        name for name, groups in values.items() if any(one is not None for one in groups.values())
    )
    more = values | {variable: values[variable] | {"another": value}}
    assert fairness(more) <= fairness(values) + 1e-12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_shuffled_groups_keep_their_cases_of_each_class_and_subjects_whole(seed):
    stream = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(30), stream.integers(1, 4, 30))  # one to three sessions
    classes, sexes = stream.integers(0, 3, 30), stream.choice(["f", "m", "x"], 30)
    labels, groups = classes[subjects], [None if sexes[one] == "x" else str(sexes[one]) for one in subjects]
    first, second = _shuffled(subjects, labels, groups, ["f", "m"], seed)
    for found, name in ((first, "f"), (second, "m")):
        own = np.array([one == name for one in groups])
        for one in range(3):
            assert (found[:, labels == one].sum(axis=1) == own[labels == one].sum()).all()
        for subject in range(30):
            assert np.ptp(found[:, subjects == subject], axis=1).max() == 0
    assert ((first + second) == np.array([one is not None for one in groups])).all()


def test_equal_groups_differ_by_no_more_than_chance_gives():
    stream = np.random.default_rng(3)
    labels = np.arange(600) % 2
    scores = np.stack([-(labels + stream.normal(0, 1, 600)), labels + stream.normal(0, 1, 600)], axis=1)
    groups = stream.choice(["f", "m"], 600).tolist()
    shuffled = _shuffled(np.arange(600), labels, groups, ["f", "m"], 1)
    by_chance = disparities(lookup("ovr_auroc"), None, DatasetData(labels, scores), shuffled)
    members = [np.array([[one == name for one in groups]], dtype=float) for name in ("f", "m")]
    found = disparities(lookup("ovr_auroc"), None, DatasetData(labels, scores), members)[0]
    assert found < np.quantile(by_chance, 0.99)
    assert 0.005 < by_chance.mean() < 0.08  # two groups of 300 with AUROC near 0.76
