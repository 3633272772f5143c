import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    recall_score,
    roc_auc_score,
)

from evaluator.metrics import NotScored
from evaluator.metrics.classification import (
    auprc,
    auroc,
    balanced_accuracy,
    f1,
    macro_f1,
    macro_recall,
    ovr_auprc,
    ovr_auroc,
)

SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])  # few values, so that ties are common


@settings(max_examples=25, deadline=None)
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


@settings(max_examples=25, deadline=None)
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


@settings(max_examples=25, deadline=None)
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


CASES = st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=1, max_size=40)
BOTH = CASES.filter(lambda cases: len({label for label, _ in cases}) == 2)


def test_auroc_of_many_cases_is_that_of_scikit_learn():
    stream = np.random.default_rng(5)
    label = stream.integers(0, 2, 5000)
    for score in (stream.normal(label, 1), stream.normal(label, 1).round(1)):
        assert abs(auroc(label, score) - roc_auc_score(label, score)) <= 1e-12


@settings(max_examples=25, deadline=None)
@given(BOTH, st.randoms(use_true_random=False))
def test_the_order_of_the_cases_changes_no_metric(cases, random):
    shuffled = random.sample(cases, len(cases))
    for metric in (auroc, auprc, balanced_accuracy, f1):
        one, other = (metric(*np.array(order).T) for order in (cases, shuffled))
        assert one == pytest.approx(other, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(BOTH)
def test_only_the_order_of_the_scores_counts_for_areas(cases):
    label, score = np.array(cases).T
    for rising in (lambda x: 3 * x - 7, np.exp, lambda x: x**3, lambda x: np.log(x + 0.01)):
        assert auroc(label, rising(score)) == auroc(label, score)
        assert auprc(label, rising(score)) == auprc(label, score)


@settings(max_examples=25, deadline=None)
@given(BOTH)
def test_swapping_the_labels_or_turning_the_scores_mirrors_auroc(cases):
    label, score = np.array(cases).T
    assert auroc(1 - label, score) == pytest.approx(1 - auroc(label, score), abs=1e-12)
    assert auroc(label, -score) == pytest.approx(1 - auroc(label, score), abs=1e-12)
    assert auroc(1 - label, -score) == auroc(label, score)


@settings(max_examples=25, deadline=None)
@given(BOTH, st.integers(0, 39))
def test_lowering_a_positive_never_raises_an_area(cases, chosen):
    label, score = np.array(cases).T
    score = score + np.arange(len(score)) * 1e-6  # no ties: to leave a group of equals can raise precision
    worse = score.copy()
    worse[np.flatnonzero(label)[chosen % int(label.sum())]] -= 0.3
    assert auroc(label, worse) <= auroc(label, score)
    assert auprc(label, worse) <= auprc(label, score) + 1e-12


@settings(max_examples=25, deadline=None)
@given(CASES)
def test_auprc_is_the_average_precision_of_scikit_learn(cases):
    label, score = np.array(cases).T
    if label.any():
        assert auprc(label, score) == pytest.approx(average_precision_score(label, score), abs=1e-12)
    else:
        with pytest.raises(NotScored):
            auprc(label, score)


def test_a_constant_score_earns_the_share_of_positives_in_auprc():
    assert auprc([0, 0, 0, 1], [0.5] * 4) == 0.25


@settings(max_examples=25, deadline=None)
@given(CASES, SCORES)
def test_thresholded_metrics_are_those_of_scikit_learn(cases, threshold):
    label, score = np.array(cases).T
    called = score >= threshold
    expected = f1_score(label, called, zero_division=0)
    assert f1(label, score, threshold=threshold) == pytest.approx(expected, abs=1e-12)
    if len(set(label)) < 2:
        with pytest.raises(NotScored):
            balanced_accuracy(label, score, threshold=threshold)
    else:
        expected = balanced_accuracy_score(label, called)
        assert balanced_accuracy(label, score, threshold=threshold) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(rows(3))
def test_macro_recall_is_balanced_accuracy_over_the_classes_that_occur(cases):
    label, score = np.array([case[0] for case in cases]), np.array([case[1] for case in cases])
    present = sorted(set(label))
    expected = recall_score(label, score.argmax(axis=1), labels=present, average="macro", zero_division=0)
    assert macro_recall(label, score) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(rows(3))
def test_ovr_auprc_is_the_mean_over_the_classes_that_can_be_scored(cases):
    label, score = np.array([case[0] for case in cases]), np.array([case[1] for case in cases])
    usable = [c for c in range(3) if 0 < (label == c).sum() < len(label)]
    if not usable:
        with pytest.raises(NotScored):
            ovr_auprc(label, score)
    else:
        expected = np.mean([average_precision_score(label == c, score[:, c]) for c in usable])
        assert ovr_auprc(label, score) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(rows(4), st.permutations(range(4)))
def test_renaming_the_classes_changes_no_macro_average(cases, names):
    label, score = np.array([case[0] for case in cases]), np.array([case[1] for case in cases])
    score = score + np.arange(4) * 1e-6 * np.ones((len(label), 1))  # no ties, which are broken by the names
    renamed, columns = np.array(names)[label], np.argsort(names)
    if len(set(label)) > 1:
        assert ovr_auroc(renamed, score[:, columns]) == pytest.approx(ovr_auroc(label, score), abs=1e-12)
    assert macro_f1(renamed, score[:, columns]) == pytest.approx(macro_f1(label, score), abs=1e-12)
    assert macro_recall(renamed, score[:, columns]) == pytest.approx(macro_recall(label, score), abs=1e-12)


def test_metrics_of_nothing_are_not_scored():
    for metric in (f1, balanced_accuracy, auprc, auroc):
        with pytest.raises(NotScored):
            metric([], [])
    for metric in (macro_recall, ovr_auprc):
        with pytest.raises(NotScored):
            metric([], np.empty((0, 3)))
    with pytest.raises(NotScored, match="two classes"):
        ovr_auprc([0, 0], [[0.1], [0.2]])


@pytest.mark.parametrize("metric", [balanced_accuracy, f1])
def test_a_score_of_one_half_calls_label_1_where_no_threshold_is_given(metric):
    assert metric([0, 1, 1], [0.49, 0.5, 0.51]) == 1.0
    assert metric([0, 1, 1], [0.5, 0.5, 0.51]) == metric([0, 1, 1], [1, 1, 1]) < 1
