"""The committed checkpoint knows something about institutions it has never seen."""

import pytest

from baseline_model.checkpoint import load_model
from benchmarks.support.baseline_quality import measure


@pytest.mark.long
@pytest.mark.parametrize("task", ["task1", "task2", "task3", "task5", "task6"])
def test_the_template_is_better_than_chance_on_hidden_cases(task: str) -> None:
    quality = measure(load_model(), task, seed=21, cases=60)

    assert quality.better, quality
