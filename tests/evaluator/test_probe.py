import math
import random
import time

import numpy as np
import pytest

from evaluator.probe import SplitError, run_probe, split_cases
from evaluator.probe._train import train_heads
from evaluator.spec import Probe


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
    found = run_probe(
        (rows, labels), (rows, labels), rows, classes=3, probe=Probe(learning_rates=(0.01, 1e308))
    )
    assert found.validation[1] is None
    assert found.learning_rate == 0.01


def test_without_any_usable_head_there_are_no_scores():
    rows, labels = cohort()
    found = run_probe((rows, labels), (rows, labels), rows, classes=3, probe=Probe(learning_rates=(1e308,)))
    assert found.scores is None
    assert found.learning_rate is None


def test_a_sweep_of_240_by_768_takes_well_under_a_second():
    rows, labels = cohort(per_class=80, width=768)
    start = time.perf_counter()
    run_probe((rows, labels), (rows[::4], labels[::4]), rows, classes=3, probe=Probe())
    assert time.perf_counter() - start < 2  # about 0.2 s on a free core


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
