"""Metrics of the field's list of pitfalls and recommendations, held against the libraries that define them."""

import numpy as np
import pytest
from sklearn.metrics import (
    cohen_kappa_score,
    matthews_corrcoef,
    recall_score,
    roc_curve,
)
from sklearn.metrics import log_loss as log_loss_of_scikit_learn

from evaluator.metrics import DATASETS, DatasetData, DatasetMetric, NotScored
from evaluator.metrics.agreement import of_order
from evaluator.metrics.calibration import brier
from evaluator.metrics.concordance_correlation import concordance_correlation
from evaluator.metrics.probabilities import brier_decomposition, class_log_loss, log_loss
from evaluator.metrics.registry import lookup, names

PARAMETERS = {
    "fairness": {"of": "macro_recall"},
    "sensitivity_at_specificity": {"specificity": 0.8},
    "specificity_at_sensitivity": {"sensitivity": 0.8},
    "class_kappa": {"weights": "linear"},
    "brier_reliability": {"bins": 4},
    "brier_resolution": {"bins": 4},
}
OF_DATASETS = [
    name for name in names() if isinstance(lookup(name), DatasetMetric) and lookup(name).material == DATASETS
]


def of_numbers(seed, cases=40):
    """Labels 0 and 1, and scores of which many are equal."""
    stream = np.random.default_rng(seed)
    label = stream.integers(0, 2, cases)
    label[:4] = [0, 0, 1, 1]
    return DatasetData(label, np.clip(0.3 * label + stream.random(cases) * 0.7, 0, 1).round(2))


def of_classes(seed, cases=40, classes=4):
    stream = np.random.default_rng(seed)
    label = stream.integers(0, classes, cases)
    label[: 2 * classes] = np.repeat(np.arange(classes), 2)
    scores = np.exp(stream.normal(0, 1, (cases, classes)) + np.eye(classes)[label])
    return DatasetData(label, (scores / scores.sum(axis=1, keepdims=True)).round(6))


def of_ages(seed, cases=40):
    stream = np.random.default_rng(seed)
    age = stream.uniform(20, 80, cases).round(1)
    return DatasetData(age, (0.8 * age + stream.normal(5, 8, cases)).round(1))


DATA = {"binary": of_numbers, "classes": of_classes, "numbers": of_ages, None: of_classes}


def prepared(name, seed=0):
    metric = lookup(name)
    data = DATA[metric.reads](seed)
    if name == "fairness":
        data = DatasetData(data.labels, data.scores, {"sex": ["f", "m"] * (len(data.labels) // 2)})
    return metric, metric.parse(PARAMETERS.get(name, {})), data


def value(name, data, **fields):
    metric = lookup(name)
    return metric.score(data, metric.parse(fields))


@pytest.mark.parametrize("name", OF_DATASETS)
def test_weighted_metrics_are_those_of_cases_repeated_as_often(name):
    metric, parameters, data = prepared(name)
    cases = len(data.labels)
    counts = np.random.default_rng(5).multinomial(cases, np.full(cases, 1 / cases), size=6).astype(float)
    counts[0] = 1
    found = metric.replicates(data, counts, parameters)
    expected = [metric._repeated(data, row, parameters) for row in counts]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert found[0] == pytest.approx(metric.score(data, parameters), abs=1e-12)


WITH_INFLUENCE = [
    name
    for name in OF_DATASETS
    if lookup(name).influence is not None and "auroc" not in name  # whose weighted form takes whole numbers
]


@pytest.mark.parametrize("name", WITH_INFLUENCE)
@pytest.mark.parametrize("seed", range(3))
def test_influence_is_the_slope_of_the_weighted_metric(name, seed):
    metric, parameters, data = prepared(name, seed)
    cases, step = len(data.labels), 1e-6
    ones = np.ones((cases, cases))
    up, down = (metric.weighted(data, ones + sign * step * np.eye(cases), parameters) for sign in (1, -1))
    slopes = (up - down) / (2 * step)
    psi = metric.influence(data, parameters)
    groups = data.labels if metric.reads != "numbers" else np.zeros(cases)
    if name in (
        "brier",
        "ovr_brier",
        "log_loss",
        "class_log_loss",
        "brier_resolution",
    ):  # classes not held fixed
        groups = np.zeros(cases)
    for group in np.unique(groups):
        own = groups == group
        n = own.sum()
        expected = (slopes[own] - slopes[own].mean()) * np.sqrt(n / (n - 1))
        np.testing.assert_allclose(psi[own], expected, rtol=0, atol=1e-7 * max(1, np.abs(psi).max()))


@pytest.mark.parametrize("seed", range(30))
def test_matthews_correlation_and_kappa_are_those_of_scikit_learn(seed):
    data = of_classes(seed, cases=10 + seed, classes=2 + seed % 4)
    called, classes = data.scores.argmax(axis=1), range(data.scores.shape[1])
    assert value("class_mcc", data) == pytest.approx(matthews_corrcoef(data.labels, called), abs=1e-12)
    for weights in ("none", "linear", "quadratic"):
        expected = cohen_kappa_score(
            data.labels, called, labels=classes, weights=None if weights == "none" else weights
        )
        assert value("class_kappa", data, weights=weights) == pytest.approx(expected, abs=1e-12)
    data = of_numbers(seed)
    for threshold in (0.2, 0.5, 0.66):
        called = data.scores >= threshold
        expected = matthews_corrcoef(data.labels, called), cohen_kappa_score(data.labels, called)
        found = value("mcc", data, threshold=threshold), value("kappa", data, threshold=threshold)
        assert found == pytest.approx(expected, abs=1e-12)


def test_calls_that_are_all_alike_agree_by_chance_and_one_label_has_no_agreement():
    data = DatasetData(np.array([0, 1, 1, 0]), np.full(4, 0.9))
    assert (value("mcc", data), value("kappa", data)) == (0, 0)
    one_label = DatasetData(np.ones(3, int), np.array([0.1, 0.9, 0.9]))
    with pytest.raises(NotScored, match="two classes"):
        value("mcc", one_label)
    assert value("kappa", one_label) == 0
    with pytest.raises(NotScored, match="two classes"):
        value("kappa", DatasetData(np.ones(3, int), np.full(3, 0.9)))
    for name in ("mcc", "kappa", "sensitivity", "specificity_at_sensitivity"):
        with pytest.raises(NotScored):
            value(name, DatasetData(np.zeros(0, int), np.zeros(0)), **PARAMETERS.get(name, {}))


def test_weights_that_are_no_whole_numbers_round_to_no_agreement():
    weights = np.random.default_rng(3).uniform(0.1, 2, (200, 7))
    alike = DatasetData(np.array([0, 1, 1, 0, 0, 1, 1]), np.full(7, 0.9))
    alone = DatasetData(np.ones(7, int), np.full(7, 0.9))
    for name in ("mcc", "kappa"):
        metric = lookup(name)
        parameters = metric.parse({})
        assert np.abs(metric.replicates(alike, weights, parameters)).max() < 1e-12
        assert np.isnan(metric.replicates(alone, weights, parameters)).all()


def test_ten_thousand_classes_in_order_need_no_matrix_of_all_pairs():
    label = np.arange(0, 10_000, 2000)
    scores = np.zeros((5, 10_000))
    scores[np.arange(5), label + 3] = 1
    calls = of_order(DatasetData(label, scores), lookup("class_kappa").parse({"weights": "quadratic"}))
    assert calls.cost().tolist() == [9] * 5
    expected = cohen_kappa_score(label // 1000, label // 1000)  # 1: the shift by 3 is next to nothing
    assert value("class_kappa", DatasetData(label, scores), weights="quadratic") == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize("seed", range(20))
def test_sensitivity_and_specificity_are_those_of_scikit_learn(seed):
    data = of_numbers(seed)
    for threshold in (0.2, 0.5, 0.66):
        called = data.scores >= threshold
        for name, label in (("sensitivity", 1), ("specificity", 0)):
            expected = recall_score(data.labels, called, pos_label=label)
            assert value(name, data, threshold=threshold) == pytest.approx(expected, abs=1e-12)
    false, true, _ = roc_curve(data.labels, data.scores, drop_intermediate=False)
    for held in (0.0, 0.5, 0.8, 0.95, 1.0):
        best = true[false <= 1 - held + 1e-9].max(), 1 - false[true >= held - 1e-9].min()
        assert value("sensitivity_at_specificity", data, specificity=held) == pytest.approx(
            best[0], abs=1e-12
        )
        assert value("specificity_at_sensitivity", data, sensitivity=held) == pytest.approx(
            best[1], abs=1e-12
        )


def test_cases_of_one_class_have_no_sensitivity_or_no_specificity():
    negatives = DatasetData(np.zeros(3, int), np.array([0.1, 0.2, 0.9]))
    assert value("specificity", negatives) == pytest.approx(2 / 3)
    for name, fields in (
        ("sensitivity", {}),
        ("sensitivity_at_specificity", {"specificity": 0.5}),
        ("specificity_at_sensitivity", {"sensitivity": 0.5}),
    ):
        with pytest.raises(NotScored, match=r"positive|both classes"):
            value(name, negatives, **fields)
    with pytest.raises(NotScored, match="negative"):
        value("specificity", DatasetData(np.ones(3, int), np.array([0.1, 0.2, 0.9])))


@pytest.mark.parametrize("seed", range(20))
def test_log_loss_is_that_of_scikit_learn_and_one_case_costs_no_infinity(seed):
    data = of_numbers(seed)
    assert value("log_loss", data) == pytest.approx(
        log_loss_of_scikit_learn(data.labels, data.scores), rel=1e-12
    )
    data = of_classes(seed)
    rows = data.scores / data.scores.sum(axis=1, keepdims=True)
    expected = log_loss_of_scikit_learn(data.labels, rows, labels=range(4))
    assert class_log_loss(data.labels, rows) == pytest.approx(expected, rel=1e-12)
    assert value("log_loss", DatasetData(np.array([0, 1]), np.array([1.0, 0.0]))) == pytest.approx(36.0436534)
    assert log_loss([0, 1], [1.0, 1.0], least=0.01) == pytest.approx(-np.log(0.01) / 2 - np.log(0.99) / 2)
    with pytest.raises(NotScored, match="probabilities"):
        log_loss([0, 1], [0.5, 1.5])


@pytest.mark.parametrize("bins", [1, 4, 10])
def test_the_brier_score_is_the_sum_of_its_parts(bins):
    for seed in range(10):
        data = of_numbers(seed)
        reliability, resolution, uncertainty, within = brier_decomposition(
            data.labels, data.scores, bins=bins
        )
        assert reliability - resolution + uncertainty + within == pytest.approx(
            brier(data.labels, data.scores), abs=1e-12
        )
        inside = np.minimum(np.ceil(data.scores * bins - 1e-9).astype(int) - 1, bins - 1).clip(0)
        parts = [(data.labels[inside == one], data.scores[inside == one]) for one in set(inside)]
        cases, base = len(data.labels), data.labels.mean()
        expected = sum(len(y) * (p.mean() - y.mean()) ** 2 for y, p in parts) / cases
        assert reliability == pytest.approx(expected, abs=1e-12)
        assert value("brier_reliability", data, bins=bins) == reliability
        expected = sum(len(y) * (y.mean() - base) ** 2 for y, _ in parts) / cases
        assert resolution == pytest.approx(expected, abs=1e-12)
        assert value("brier_resolution", data, bins=bins) == resolution
        assert uncertainty == pytest.approx(base * (1 - base))
    assert brier_decomposition([0, 0, 0, 1], [0.25] * 4, bins=bins) == pytest.approx((0, 0, 3 / 16, 0))
    assert brier_decomposition([0, 1], [0.0, 1.0], bins=2) == (0, 0.25, 0.25, 0)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_concordance_correlation_is_that_of_its_formula_at_any_scale(scale):
    for seed in range(20):
        data = of_ages(seed)
        covariance = np.cov(data.labels, data.scores, ddof=0)
        expected = (
            2 * covariance[0, 1] / (np.trace(covariance) + (data.labels.mean() - data.scores.mean()) ** 2)
        )
        found = concordance_correlation(data.labels * scale, data.scores * scale)
        assert found == pytest.approx(expected, abs=1e-12)


def test_concordance_falls_where_a_correlation_does_not():
    age = np.arange(20.0, 60.0)
    assert concordance_correlation(age, age) == 1
    assert concordance_correlation(age, 80 - age) == pytest.approx(-1, abs=1e-2)
    assert concordance_correlation(age, age + 30) == pytest.approx(
        2 * age.var() / (2 * age.var() + 900), abs=1e-12
    )
    assert concordance_correlation(age, np.full(40, 39.5)) == pytest.approx(0, abs=1e-15)
    for label in ([5.0, 5.0], [5.0]):
        with pytest.raises(NotScored, match="two cases"):
            concordance_correlation(label, [1.0, 2.0][: len(label)])
