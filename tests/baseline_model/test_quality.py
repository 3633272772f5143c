"""The committed checkpoint knows something about institutions it has never seen."""

import numpy as np
import pytest

from baseline_model.checkpoint import load_model
from benchmarks.support.baseline_ceiling import age_from
from benchmarks.support.baseline_quality import measure
from benchmarks.support.evaluated import case_difference, dataset_difference, of_cases, of_dataset
from evaluator.metrics.classification import auroc


@pytest.mark.long
@pytest.mark.parametrize("task", ["task1", "task2", "task3", "task5", "task6"])
def test_the_template_is_better_than_chance_on_hidden_cases(task: str) -> None:
    quality = measure(load_model(), task, seed=21, cases=60)

    assert quality.better, quality


def test_values_and_intervals_are_those_of_the_evaluator() -> None:
    stream = np.random.default_rng(0)
    truth = np.arange(80) % 2
    scores = truth + stream.normal(size=80)

    area = of_dataset("auroc", truth, scores, classes=True)
    overlap = of_cases("dice", stream.uniform(size=50))

    assert area.value == auroc(truth, scores)
    assert 0.5 < area.low < area.value < area.high < 1
    assert overlap.low < overlap.value < overlap.high
    assert overlap.high - overlap.low < 0.3


def test_answers_to_the_same_cases_are_compared_case_by_case() -> None:
    """A small lead on every case is seen, though the intervals of the two arms by themselves lie over one another."""
    stream = np.random.default_rng(1)
    truth = stream.uniform(20, 90, size=60)
    errors = stream.exponential(8, size=60) * stream.choice([-1, 1], size=60)
    one, other = truth + errors, truth + 1.2 * errors
    overlap = stream.uniform(size=60)

    years = dataset_difference("mae", [(truth, one, other), (truth, one, other)], classes=False)
    better = case_difference(overlap + 0.05, overlap)

    assert years.value == pytest.approx(-0.2 * np.abs(errors).mean())
    assert years.low < years.value < years.high < 0
    assert (
        of_dataset("mae", truth, one, classes=False).high > of_dataset("mae", truth, other, classes=False).low
    )
    assert (better.low, better.value, better.high) == pytest.approx((0.05, 0.05, 0.05))


def test_the_same_answers_are_apart_by_nothing() -> None:
    truth, scores = np.arange(40) % 2, np.random.default_rng(2).normal(size=40)
    same = dataset_difference("auroc", [(truth, scores, 3 * scores)], classes=True)

    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_the_best_answer_to_an_age_misses_by_what_the_drawing_left_open() -> None:
    """Signs drawn as the brains are: the error is that of the noise, and a third sign makes it smaller."""
    stream, missed = np.random.default_rng(3), {2: 0.0, 3: 0.0}
    for age in (ages := stream.uniform(25, 90, size=400)):
        signs = {
            "ventricles": float(np.clip(0.062 * (age - 25) - 0.6 + stream.normal(0, 0.5), -1.5, 7)),
            "sulci": 0.026 * (age - 25) - 0.4 + stream.normal(0, 0.2),
            "lesions": 0.011 * max(age - 40, 0) * stream.uniform(0.2, 1.4),
        }
        for count in missed:
            missed[count] += abs(age_from(dict(list(signs.items())[:count])) - age) / len(ages)

    assert 3.4 < missed[2] < 4.6
    assert missed[3] < missed[2] - 0.3
