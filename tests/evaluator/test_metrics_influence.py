import numpy as np
import pytest

from evaluator.metrics import DatasetData, NotScored, influence
from evaluator.metrics.delong import auroc_interval, paired_test, unvarying_interval
from evaluator.metrics.registry import lookup
from evaluator.metrics.resampled import auroc_replicates
from evaluator.resampling import draw_counts, percentile_interval


def binary(cases, seed=0, effects=(1.0, 0.8)):
    """Labels, and correlated scores of two submissions with three decimals."""
    stream = np.random.default_rng(seed)
    label = stream.integers(0, 2, cases)
    shared = stream.normal(0, 1, cases)
    scores = [np.round(effect * label + shared + stream.normal(0, 0.7, cases), 3) for effect in effects]
    return label, np.array(scores)


def test_delong_and_the_bootstrap_agree_on_5000_cases():
    label, scores = binary(5000)
    counts = draw_counts(range(5000), label.tolist(), resamples=2000, digest="sha256:a")
    drawn = auroc_replicates(label, scores, counts)
    for score, found in zip(scores, drawn, strict=True):
        interval = auroc_interval(label, score)
        low, high = percentile_interval(found, 0.95)
        assert abs(interval.low - low) < 0.002
        assert abs(interval.high - high) < 0.002
    test = paired_test(label, *scores)
    low, high = percentile_interval(drawn[0] - drawn[1], 0.95)
    assert abs(test.difference - 1.959964 * test.standard_error - low) < 0.002
    assert abs(test.difference + 1.959964 * test.standard_error - high) < 0.002
    assert abs(test.standard_error - (drawn[0] - drawn[1]).std()) < 0.0005


def written_out(label, score):
    """DeLong's variance from the matrix of all pairs."""
    positive, negative = score[label == 1], score[label == 0]
    kernel = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    m, n = kernel.shape
    return np.var(kernel.mean(axis=1), ddof=1) / m + np.var(kernel.mean(axis=0), ddof=1) / n


@pytest.mark.parametrize("seed", range(5))
def test_influence_of_auroc_is_delongs_variance(seed):
    label, (score, _) = binary(60, seed)
    score = score.round(1)
    psi = influence.of_auroc(label, score)
    assert np.sum(psi**2) == pytest.approx(written_out(label, score), rel=1e-12)
    assert auroc_interval(label, score).standard_error == pytest.approx(np.sqrt(written_out(label, score)))


def test_a_paired_test_turns_with_its_sides_and_is_silent_on_equals():
    label, (one, other) = binary(400)
    test, turned = paired_test(label, one, other), paired_test(label, other, one)
    assert test.z == -turned.z
    assert test.p_value == turned.p_value
    same = paired_test(label, one, np.exp(one))
    assert (same.difference, same.z, same.p_value) == (0, 0, 1)


def test_a_paired_test_keeps_its_level_where_both_are_equally_good():
    found = [
        paired_test(*(lambda y, s: (y, *s))(*binary(200, seed, (0.8, 0.8)))).p_value for seed in range(400)
    ]
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09


def test_tiny_p_values_are_not_rounded_to_nothing():
    label, scores = binary(5000, effects=(1.4, 0.7))
    assert 0 < paired_test(label, *scores).p_value < 1e-50


def test_sessions_of_one_subject_count_as_one_witness():
    label, (score, _) = binary(300)
    twice = [case for case in range(300) for _ in range(2)]
    once = auroc_interval(label, score)
    naive = auroc_interval(label[twice], score[twice])
    honest = auroc_interval(label[twice], score[twice], subjects=twice)
    assert naive.standard_error < 0.75 * once.standard_error
    assert honest.standard_error == pytest.approx(once.standard_error, rel=0.01)


def test_one_case_of_a_class_has_no_variance():
    with pytest.raises(NotScored, match="two cases"):
        auroc_interval([0, 0, 1], [0.1, 0.2, 0.3])


def dataset(classes, cases=600):
    stream = np.random.default_rng(8)
    if classes:
        label = np.arange(cases) % max(classes, 2)
        signal = 0.3 * (np.eye(classes)[label] if classes > 2 else label)
        noise = stream.random((cases, classes) if classes > 2 else cases)
        return DatasetData(label, np.clip((signal + noise) / 2, 0, 1))
    label = stream.normal(50, 15, cases)
    return DatasetData(label, label + stream.normal(3, 10, cases))


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("auroc", 2), ("balanced_accuracy", 2), ("brier", 2),
        ("ovr_auroc", 3), ("macro_f1", 3), ("macro_recall", 3), ("ovr_brier", 3),
        ("mae", 0), ("rmse", 0), ("r2", 0), ("pearson", 0),
    ],
)  # fmt: skip
def test_influence_has_the_variance_of_the_bootstrap(name, classes):
    data, metric = dataset(classes), lookup(name)
    parameters = metric.parse({})
    by_class = data.labels.tolist() if classes and name not in ("brier", "ovr_brier") else [""] * 600
    counts = draw_counts(range(600), by_class, resamples=4000, digest="sha256:b")
    drawn = metric.replicates(data, counts, parameters)
    psi = metric.influence(data, parameters)
    assert psi.shape == (600,)
    assert psi.sum() == pytest.approx(0, abs=1e-9)
    assert drawn.std() > 0
    assert np.sqrt(np.sum(psi**2)) == pytest.approx(drawn.std(), rel=0.06)


def test_influence_of_a_mean_leaves_out_what_has_no_value():
    values = np.array([0.2, np.nan, 0.4, 0.9])
    psi = influence.of_mean(values)
    known = values[[0, 2, 3]]
    assert psi[1] == 0
    assert np.sum(psi**2) == pytest.approx(np.var(known, ddof=1) / 3)


def test_units_add_up_their_cases():
    units = np.array([0, 1, 0, 2])
    assert influence.by_unit(np.array([1.0, 2.0, 3.0, 4.0]), units).tolist() == [4, 2, 4]
    assert influence.by_unit(np.zeros(0), np.zeros(0, np.intp)).tolist() == []


def f1_by_weight(label, scores, weight):
    true, predicted = np.eye(4)[label], np.eye(4)[scores.argmax(axis=1)]
    size = weight @ (true + predicted)
    return np.mean(2 * (weight @ (true * predicted))[size > 0] / size[size > 0])


def auroc_by_weight(label, scores, weight):
    found = []
    for one in range(3):
        own, rest = label == one, label != one
        high, low = scores[own, one][:, None], scores[rest, one]
        pairs = weight[own] @ ((high > low) + 0.5 * (high == low)) @ weight[rest]
        found.append(pairs / (weight[own].sum() * weight[rest].sum()))
    return np.mean(found)


def r2_by_weight(true, predicted, weight):
    mean = weight @ true / weight.sum()
    return 1 - weight @ (predicted - true) ** 2 / (weight @ (true - mean) ** 2)


@pytest.mark.parametrize(
    ("of_cases", "by_weight"),
    [
        (influence.of_macro_f1, f1_by_weight),
        (influence.of_ovr_auroc, auroc_by_weight),
        (influence.of_r2, r2_by_weight),
    ],
)
@pytest.mark.parametrize("called_3", [0, 1, 2])
def test_influence_is_the_derivative_by_the_weight_of_each_case(of_cases, by_weight, called_3):
    stream = np.random.default_rng(8)
    label, scores = np.repeat([0, 1, 2], [9, 6, 5]), stream.normal(size=(20, 4)).round(1)
    scores[np.arange(20), label] += 1
    scores[:, 3] = np.where(np.arange(20) < called_3, 9, -9)  # a class of which there is no case
    data, classes = (label, scores), label
    if by_weight is r2_by_weight:
        data, classes = (scores[:, 0], scores[:, 0] * 0.8 + scores[:, 1] * 0.3), np.zeros(20)
    step = 1e-6
    slopes = [
        (by_weight(*data, 1 + step * one) - by_weight(*data, 1 - step * one)) / (2 * step)
        for one in np.eye(20)
    ]
    expected = np.array(slopes)
    for one in set(classes):
        own = classes == one
        expected[own] = (expected[own] - expected[own].mean()) * np.sqrt(own.sum() / (own.sum() - 1))
    np.testing.assert_allclose(of_cases(*data), expected, atol=1e-8)


@pytest.mark.parametrize("score", [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [0] * 6])
def test_an_auroc_that_no_resample_moves_has_the_exact_interval_of_three_independent_pairs(score):
    found = auroc_interval([0, 0, 0, 1, 1, 1], score, level=0.9)
    least = 0.05 ** (1 / 3)  # three pairs in order have this probability at least, or 5 % refute it
    value = {1: 1.0, 6: 0.0, 0: 0.5}[score[0]]
    assert (found.value, found.standard_error, found.exact) == (value, 0.0, True)
    assert found.low == pytest.approx(value * least)
    assert found.high == pytest.approx(1 - (1 - value) * least)
    assert unvarying_interval([0, 0, 0, 1, 1, 1], score)[0] == pytest.approx(value * 0.025 ** (1 / 3))


def test_always_right_against_always_wrong_is_as_likely_as_the_flips_of_all_subjects():
    label, score = np.array([0, 0, 1, 1, 1]), np.arange(5.0)
    found = paired_test(label, score, -score)
    assert (found.difference, found.standard_error, found.z) == (1.0, 0.0, np.inf)
    assert found.p_value == 2 * 0.5**5
    assert paired_test(label, -score, score).z == -np.inf


def test_an_estimated_interval_is_not_exact_and_lies_within_0_and_1():
    label, score = [0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    found = auroc_interval(label, score)
    assert unvarying_interval(label, score) is None
    assert not found.exact
    assert found.standard_error > 0
    assert 0.0 <= found.low < found.value < found.high == 1.0


@pytest.mark.parametrize(
    ("subjects", "pairs"), [("abcabc", 1), ("abcdabcd", 2), ("aaaa", 1), ("abcdefgh", 4)]
)
def test_a_subject_is_in_one_independent_pair_only(subjects, pairs):
    half = len(subjects) // 2
    found = auroc_interval([0] * half + [1] * half, range(2 * half), subjects=list(subjects), level=0.9)
    assert found.exact
    assert found.low == pytest.approx(0.05 ** (1 / pairs))
