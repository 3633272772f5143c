import math
import random

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from evaluator.metrics.classification import macro_f1, ovr_auroc
from evaluator.probe import (
    PENALTIES,
    Rows,
    SplitError,
    fit_reference,
    probe_of,
    reference_of,
    run_probe,
    split_cases,
)
from evaluator.probe._cache import _memory, key_of, remembered
from evaluator.probe._descent import lowest
from evaluator.probe._train import train_heads
from evaluator.spec import Probe


def rates(*learning_rates):
    """A probe with rates that no challenge file may name, so that heads overflow."""
    return Probe().model_copy(update={"learning_rates": learning_rates})


def cohort(classes=3, per_class=16, width=12, distance=1.0, seed=1):
    stream = np.random.default_rng(seed)
    centres = stream.normal(0, distance, (classes, width))
    labels = np.repeat(np.arange(classes), per_class)
    return (centres[labels] + stream.normal(0, 1, (len(labels), width))).astype(np.float32), labels


def plain_heads(rows, labels, classes, probe):
    """One head after the other, one sample's logits at a time: what the stacked training has to equal."""
    stream = np.random.Generator(np.random.PCG64(probe.seed))
    rows = rows.astype(np.float64)
    weights = [stream.normal(0, 0.01, (classes, rows.shape[1])) for _ in probe.learning_rates]
    orders = [stream.permutation(len(rows)) for _ in range(probe.epochs)]
    batches = [
        order[start : start + probe.batch_size]
        for order in orders
        for start in range(0, len(order), probe.batch_size)
    ]
    trained = []
    for weight, rate in zip(weights, probe.learning_rates, strict=True):
        bias = np.zeros(classes)
        weight_velocity, bias_velocity = np.zeros_like(weight), np.zeros(classes)
        for step, batch in enumerate(batches):
            weight_slope, bias_slope = np.zeros_like(weight), np.zeros(classes)
            for case in batch:
                logits = weight @ rows[case] + bias
                chances = np.exp(logits - logits.max())
                chances /= chances.sum()
                chances[labels[case]] -= 1
                weight_slope += np.outer(chances, rows[case]) / len(batch)
                bias_slope += chances / len(batch)
            now = rate * (1 + math.cos(math.pi * step / len(batches))) / 2
            weight_velocity = probe.momentum * weight_velocity + weight_slope
            bias_velocity = probe.momentum * bias_velocity + bias_slope
            weight = weight - now * weight_velocity
            bias = bias - now * bias_velocity
        trained.append((weight, bias))
    return trained


def test_stacked_heads_equal_heads_trained_one_by_one():
    rows, labels = cohort(per_class=25, width=9)
    probe = Probe(batch_size=32)  # 75 cases: the last batch of an epoch is incomplete
    stacked = train_heads(rows, labels, classes=3, probe=probe).reshape(10, 13, 3)
    for head, (weight, bias) in enumerate(plain_heads(rows, labels, 3, probe)):
        assert np.abs(stacked[:-1, head].T - weight).max() <= 1e-9
        assert np.abs(stacked[-1, head] - bias).max() <= 1e-9


def test_probe_separates_separable_classes_and_repeats_itself():
    rows, labels = cohort(distance=3)
    found = [run_probe((rows, labels), (rows, labels), rows, classes=3, probe=Probe()) for _ in range(2)]
    assert (found[0].scores.argmax(axis=1) == labels).mean() == 1
    assert found[0].scores.sum(axis=1) == pytest.approx(np.ones(len(rows)))
    assert np.array_equal(found[0].scores, found[1].scores)


def test_of_equally_good_heads_the_smaller_rate_is_chosen():
    rows, labels = cohort(distance=30)
    found = run_probe(
        (rows, labels), (rows, labels), rows, classes=3, probe=Probe(learning_rates=(0.1, 0.05, 0.07))
    )
    assert found.validation == (1.0, 1.0, 1.0)
    assert found.learning_rate == 0.05


def test_a_head_that_overflows_is_passed_over():
    rows, labels = cohort(distance=3)
    found = run_probe((rows, labels), (rows, labels), rows, classes=3, probe=rates(0.01, 1e308))
    assert found.validation[1] is None
    assert found.learning_rate == 0.01


def test_without_any_usable_head_there_are_no_scores():
    rows, labels = cohort()
    found = run_probe((rows, labels), (rows, labels), rows, classes=3, probe=rates(1e308))
    assert found.scores is None
    assert found.learning_rate is None


def by_the_book(labels, ages, probe):
    """The split as FOMO26 words it, written down a second time."""
    parts = [], [], []
    for one in sorted(set(labels)):
        stream = random.Random(probe.seed)  # noqa: S311
        strata = {}
        for case, label in enumerate(labels):
            if label == one:
                decade = -1 if ages[case] is None else min(int(ages[case]) // 10 * 10, 90)
                strata.setdefault(decade, []).append(case)
        test, rest = [], []
        for _, stratum in sorted(strata.items()):
            stream.shuffle(stratum)
            n = round(len(stratum) * probe.n_test / (probe.n_train + probe.n_val + probe.n_test))
            test, rest = test + stratum[:n], rest + stratum[n:]
        stream.shuffle(test)
        stream.shuffle(rest)
        while len(test) > probe.n_test:
            rest.append(test.pop(probe.n_test))
        while len(test) < probe.n_test:
            test.append(rest.pop(0))
        val, train = rest[: probe.n_val], rest[probe.n_val :]
        stream.shuffle(train)
        for part, found in zip(parts, (train, val, test), strict=True):
            part.extend(found)
    return tuple(tuple(part) for part in parts)


@pytest.mark.parametrize("seed", range(5))
def test_split_follows_the_published_rule(seed):
    stream = random.Random(seed)  # noqa: S311
    labels = [stream.choice("cab") for _ in range(90)]
    ages = [stream.choice([None, stream.uniform(0, 105)]) for _ in labels]
    probe = Probe(n_train=6, n_val=2, n_test=8, seed=seed)
    found = split_cases(labels, ages, probe)
    assert found.classes == ("a", "b", "c")
    assert (found.train, found.val, found.test) == by_the_book(labels, ages, probe)


def test_split_covers_every_case_once_with_the_asked_sizes():
    labels = ["x", "y"] * 200
    ages = [float(20 + case % 70) for case in range(400)]
    found = split_cases(labels, ages, Probe())
    assert sorted(found.train + found.val + found.test) == list(range(400))
    assert (len(found.train), len(found.val), len(found.test)) == (160, 40, 200)


def test_a_class_too_small_for_the_split_is_named():
    with pytest.raises(SplitError, match="class 'b' has 3 cases"):
        split_cases(["a"] * 20 + ["b"] * 3, [None] * 23, Probe(n_train=6, n_val=2, n_test=8))


def test_one_class_is_not_enough():
    with pytest.raises(SplitError, match="two classes"):
        split_cases(["a"] * 20, [None] * 20, Probe(n_train=6, n_val=2, n_test=8))


def plain_choice(train, val, test, classes, probe):
    """The recipe with a loop over heads: its head of choice, and that head's scores of the test cases."""
    best = None
    for rate, (weight, bias) in zip(probe.learning_rates, plain_heads(*train, classes, probe), strict=True):
        logits = [rows.astype(float) @ weight.T + bias for rows in (val[0], test)]
        chances = [np.exp(one - one.max(axis=1, keepdims=True)) for one in logits]
        chances = [one / one.sum(axis=1, keepdims=True) for one in chances]
        value = ovr_auroc(val[1], chances[0])
        if best is None or value > best[0] + 1e-9:
            best = value, rate, chances[1]
    return best


@pytest.mark.parametrize("seed", [42, 43, 7])
def test_the_stacked_probe_chooses_and_scores_as_a_plain_loop_over_heads(seed):
    rows, labels = cohort(per_class=40, width=24, distance=0.25, seed=seed)
    parts = [slice(number, None, 3) for number in range(3)]  # 40 cases each, all classes
    train, val, test = ((rows[part], labels[part]) for part in parts)
    probe = Probe(seed=seed)
    found = run_probe(train, val, test[0], classes=3, probe=probe)
    value, rate, scores = plain_choice(train, val, test[0], 3, probe)
    assert found.learning_rate == rate
    assert max(one for one in found.validation if one is not None) == pytest.approx(value, abs=1e-9)
    assert abs(ovr_auroc(test[1], found.scores) - ovr_auroc(test[1], scores)) <= 1e-9


def test_another_seed_gives_another_probe():
    rows, labels = cohort(distance=0.3)
    one, other = (
        run_probe((rows, labels), (rows, labels), rows, classes=3, probe=Probe(seed=seed))
        for seed in (42, 43)
    )
    assert not np.array_equal(one.scores, other.scores)


def test_the_reference_fit_is_the_logistic_regression_of_scikit_learn():
    rows, labels = cohort(per_class=30, width=120, distance=0.2)  # wider than there are cases
    val, test = cohort(per_class=10, width=120, distance=0.2, seed=1)
    found = fit_reference((rows, labels), (val, test), val, classes=3)
    mean, scale = rows.astype(float).mean(axis=0), rows.astype(float).std(axis=0)
    model = LogisticRegression(C=1 / (found.penalty * len(rows)), tol=1e-10, max_iter=10_000)
    model.fit((rows - mean) / scale, labels)
    assert found.scores == pytest.approx(model.predict_proba((val - mean) / scale), abs=1e-4)
    assert found.validation == ovr_auroc(test, found.scores)


def test_a_constant_embedding_has_a_reference_fit_that_knows_nothing():
    rows, labels = np.ones((30, 4)), np.arange(30) % 3
    found = fit_reference((rows, labels), (rows, labels), rows, classes=3)
    assert found.validation == 0.5
    assert found.scores == pytest.approx(np.full((30, 3), 1 / 3))
    assert found.penalty == PENALTIES[-1], "all are equal, and the weakest is chosen"


@pytest.mark.parametrize("distance", [0.2, 1.5])
def test_the_f1_of_the_reference_fit_speaks_of_the_embedding_and_not_of_class_sizes(distance):
    """Where validation cannot tell penalties apart, and where a strong one is best by a little."""
    rows, labels = cohort(per_class=200, width=64, distance=distance)
    number = np.arange(len(labels)) % 200
    kept = np.flatnonzero(number < np.array([80, 30, 15])[labels])
    val, test = ((rows[part], labels[part]) for part in ((number >= 80) & (number < 100), number >= 100))
    found = fit_reference((rows[kept], labels[kept]), val, test[0], classes=3)
    assert macro_f1(test[1], found.scores) > ovr_auroc(test[1], found.scores) - 0.25
    called = np.bincount(found.scores.argmax(axis=1), minlength=3) / len(test[1])
    assert called.min() > 0.2, "every class is a third of the test cases"
    mean, scale = rows[kept].astype(float).mean(axis=0), rows[kept].astype(float).std(axis=0)
    model = LogisticRegression(
        C=1 / (found.penalty * len(kept)), class_weight="balanced", tol=1e-10, max_iter=10_000
    )
    model.fit((rows[kept] - mean) / scale, labels[kept])
    assert found.scores == pytest.approx(model.predict_proba((test[0] - mean) / scale), abs=1e-4)


def test_embeddings_beyond_all_bounds_have_no_reference_fit():
    rows, labels = np.full((6, 2), 1e308), np.arange(6) % 2
    rows[::2] *= -1
    assert fit_reference((rows, labels), (rows, labels), rows, classes=2).scores is None


def test_descent_finds_the_lowest_point_of_a_narrow_valley():
    widths = np.array([1.0, 1e3, 1e-2])
    found = lowest(lambda x: (float(widths @ (x - 1) ** 2), 2 * widths * (x - 1)), np.zeros(3))
    assert found == pytest.approx(np.ones(3), abs=1e-5)


def test_what_was_trained_is_shared_through_a_directory(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"scores": np.eye(2)}

    key = key_of((np.eye(3),), "recipe", 1)
    assert remembered(key, make, tmp_path)["scores"].tolist() == [[1, 0], [0, 1]]
    _memory.clear()  # as in another process
    assert remembered(key, make, tmp_path)["scores"].tolist() == [[1, 0], [0, 1]]
    assert made == [1]
    assert key != key_of((np.eye(3, dtype=np.float32),), "recipe", 1)
    assert key != key_of((np.eye(3),), "recipe", 2)


def test_a_damaged_file_of_the_directory_counts_as_absent(tmp_path):
    (tmp_path / "abc.npz").write_bytes(b"PK\x03\x04 half a file")
    assert remembered("abc", lambda: {"scores": np.ones(1)}, tmp_path)["scores"] == 1
    _memory.clear()
    assert remembered("abc", dict, tmp_path)["scores"] == 1  # and was written anew


def test_a_probe_from_the_directory_equals_the_one_that_was_trained(tmp_path):
    rows, labels = cohort(distance=0.3)
    content = Rows((rows, labels), (rows, labels), rows, 3, tmp_path)
    first = probe_of(content, Probe()), reference_of(content)
    _memory.clear()
    again = probe_of(content, Probe()), reference_of(content)
    assert first[0].learning_rate == again[0].learning_rate
    assert first[0].validation == again[0].validation
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.scores, other.scores)
    assert first[1].penalty == again[1].penalty


def test_a_probe_without_usable_head_is_remembered_as_such(tmp_path):
    rows, labels = cohort()
    content = Rows((rows, labels), (rows, labels), rows, 3, tmp_path)
    for _ in range(2):
        found = probe_of(content, rates(1e308))
        assert (found.scores, found.learning_rate, found.validation) == (None, None, (None,))
        _memory.clear()
