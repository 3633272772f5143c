import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from evaluator.metrics import NotScored
from evaluator.metrics.classification import auroc, macro_f1, ovr_auroc

SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])  # few values, so that ties are common


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=2, max_size=40))
def test_auroc_with_ties_is_that_of_scikit_learn(cases):
    label, score = np.array(cases).T
    if label.min() == label.max():
        with pytest.raises(NotScored):
            auroc(label, score)
    else:
        assert auroc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


def test_auroc_is_the_share_of_pairs_in_order_ties_counting_half():
    assert auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert auroc([0, 1], [0.5, 0.5]) == 0.5
    assert auroc([True, False], [1e308, -1e308]) == 1.0


@pytest.mark.parametrize(
    ("label", "score"),
    [([0, 2], [0, 1]), ([0, 1], [0, np.nan]), ([0, 1], [0, 1, 2]), ([0.5, 1], [0, 1]), ([[0, 1]], [[0, 1]])],
)
def test_auroc_refuses_what_makes_no_sense(label, score):
    with pytest.raises(ValueError, match=r"labels|scores"):
        auroc(label, score)


def rows(classes: int):
    case = st.tuples(st.integers(0, classes - 1), st.lists(SCORES, min_size=classes, max_size=classes))
    return st.lists(case, min_size=3, max_size=30)


@settings(max_examples=50, deadline=None)
@given(rows(3))
def test_ovr_auroc_is_the_mean_over_the_classes_that_can_be_scored(cases):
    label, score = np.array([case[0] for case in cases]), np.array([case[1] for case in cases])
    usable = [c for c in range(3) if 0 < (label == c).sum() < len(label)]
    if not usable:
        with pytest.raises(NotScored):
            ovr_auroc(label, score)
    else:
        expected = np.mean([roc_auc_score(label == c, score[:, c]) for c in usable])
        assert ovr_auroc(label, score) == pytest.approx(expected, abs=1e-12)


def test_ovr_auroc_is_scikit_learns_where_all_classes_occur():
    random = np.random.default_rng(0)
    label = np.arange(60) % 4
    score = random.dirichlet(np.ones(4), 60)
    expected = roc_auc_score(label, score, multi_class="ovr", average="macro")
    assert ovr_auroc(label, score) == pytest.approx(expected, abs=1e-12)


def test_ovr_auroc_of_two_classes_is_that_of_column_1():
    label, score = [0, 1, 0, 1], np.array([[9, 0.1], [0, 0.4], [3, 0.35], [1, 0.8]])
    assert ovr_auroc(label, score) == auroc(label, score[:, 1])


def test_one_class_cannot_be_told_from_the_rest():
    with pytest.raises(NotScored):
        ovr_auroc([0, 0], [[0.1], [0.2]])


@settings(max_examples=50, deadline=None)
@given(rows(3))
def test_macro_f1_is_that_of_scikit_learn(cases):
    label, score = np.array([case[0] for case in cases]), np.array([case[1] for case in cases])
    expected = f1_score(label, score.argmax(axis=1), average="macro", zero_division=0)
    assert macro_f1(label, score) == pytest.approx(expected, abs=1e-12)


def test_the_first_of_tied_classes_is_predicted():
    assert macro_f1([0, 1], [[0.5, 0.5], [0.2, 0.8]]) == 1.0
    assert macro_f1([1, 1], [[0.5, 0.5], [0.5, 0.5]]) == 0.0


def test_f1_of_nothing_is_not_scored():
    with pytest.raises(NotScored):
        macro_f1([], np.empty((0, 3)))
