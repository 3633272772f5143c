"""The committed checkpoint knows something about institutions it has never seen."""

import numpy as np
import pytest

from baseline_model.checkpoint import load_model
from benchmarks.support.baseline_quality import measure
from benchmarks.support.evaluated import of_cases, of_dataset
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
