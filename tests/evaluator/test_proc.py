"""Intervals and paired tests of AUROC against pROC under R, whose answers `tests/data/proc.json` holds."""

import json
from pathlib import Path

import numpy as np
import pytest

from evaluator.metrics.delong import auroc_interval, paired_test
from evaluator.metrics.influence import of_auroc
from evaluator.metrics.intervals import LOGIT, Estimate

CASES = json.loads((Path(__file__).parents[1] / "data" / "proc.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['positives']}+{case['negatives']}")
def test_intervals_and_tests_of_auroc_are_those_of_proc(case):
    labels = np.repeat([1, 0], [case["positives"], case["negatives"]])
    auroc, variance, z, p = case["found"]

    found = auroc_interval(labels, case["first"])
    assert found.value == pytest.approx(auroc, rel=1e-12)
    assert found.standard_error**2 == pytest.approx(variance, rel=1e-12)
    assert [found.low, found.high] == pytest.approx(case["delong"], abs=1e-12)

    psi = of_auroc(labels, case["first"])
    estimate = Estimate(found.value, np.array([found.value]), psi, len(labels), 0.0, 1.0)
    assert LOGIT.bounds(estimate, 0.95).pair == pytest.approx(case["logit"], abs=1e-11)

    paired = paired_test(labels, case["first"], case["second"])
    assert (paired.z, paired.p_value) == (pytest.approx(z, rel=1e-9), pytest.approx(p, rel=1e-9))
