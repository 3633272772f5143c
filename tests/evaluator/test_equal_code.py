"""Code that was changed and makes the same values: what it scored before stays on its board.

`python -m tests.evaluator.test_equal_code` notes the present code beside what it was, for every metric whose values
`test_metrics_kept` finds unchanged; after a metric's name it forgets what that was, for its values are others now.
"""

import json
import sys

import pytest

from evaluator.bases import scoring_base, scoring_differences, stale_metrics
from evaluator.digests import EQUAL, metric_digest, same_values
from evaluator.metrics import registry
from evaluator.spec import Metric
from tests.evaluator.datasets import fomo26
from tests.evaluator.test_metrics_kept import (
    AGREEMENT,
    BINARY,
    CALLS,
    CLASS_CALLS,
    CLASSES,
    LANDMARKS,
    MAPS,
    NUMBERS,
    POINTS,
    SURVIVAL,
)

OF_NUMBERS, OF_CLASSES = (*BINARY, *CALLS, *NUMBERS, *AGREEMENT), (*CLASSES, *CLASS_CALLS)

OF_KIND = {
    "number": OF_NUMBERS,
    "scores": OF_CLASSES,
    "embedding": OF_CLASSES,
    "segmentation": tuple(MAPS),
    "points": (*POINTS, *LANDMARKS),
    "table": (*OF_NUMBERS, *OF_CLASSES, *SURVIVAL),
}
COMPARED = ("number", "scores", "embedding")


def present():
    """The digest of every built-in metric's code as it is, by metric and kind; of a comparison by what it compares."""
    found = {}
    for kind, metrics in OF_KIND.items():
        for name in sorted(set(metrics)):
            found[f"{name} {kind}"] = metric_digest(Metric(metric=name), kind)
            if kind in COMPARED:
                found[f"fairness of {name} {kind}"] = metric_digest(Metric(metric="fairness", of=name), kind)
    return found


def kept():
    return json.loads(EQUAL.read_text(encoding="utf-8"))


def test_the_present_code_of_every_metric_is_noted():
    noted = {key: digests[0] for key, digests in kept().items()}
    changed = sorted(key for key, digest in present().items() if noted.get(key) != digest)
    assert changed == [], (
        "The code of these has changed. Where their values are what they were (test_metrics_kept), run "
        "`python -m tests.evaluator.test_equal_code`: scores of before then stay on their boards. "
        "Where a metric's values are others now, add its name: its scores of before leave them."
    )
    assert noted.keys() == present().keys()
    assert {name for metrics in OF_KIND.values() for name in metrics} | {"fairness"} == set(registry.names())


def test_what_was_scored_by_equal_code_is_comparable_and_by_any_other_is_not():
    now = scoring_base(fomo26(), "task1")
    present, *before = kept()["auroc number"]
    assert now["metrics"]["auroc"]["code"] == present
    assert before

    def then(code):
        return {**now, "metrics": {"auroc": {**now["metrics"]["auroc"], "code": code}}}

    for code in before:
        assert scoring_differences(then(code), now) == []
        assert stale_metrics(then(code), now) == []
    other, *_ = kept()["mae number"]
    for code in (other, "sha256:0", None):
        assert scoring_differences(then(code), now) == ["the code of auroc"]
        assert stale_metrics(then(code), now) == ["auroc"]
    assert scoring_differences(then(present), then(before[0])) == ["the code of auroc"], "only forwards"


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_digest_is_equal_to_none(nothing):
    assert not same_values(nothing, kept()["auroc number"][0])
    assert not same_values(kept()["auroc number"][0], nothing)


def write(changed_values):
    """Notes the present code; of metrics in `changed_values` without any equal."""
    noted = kept() if EQUAL.exists() else {}
    rows = []
    for key, digest in sorted(present().items()):
        before = [] if changed_values & {*key.split()} else noted.get(key, [])
        rows.append(f"{json.dumps(key)}: {json.dumps([digest, *(one for one in before if one != digest)])}")
    EQUAL.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write(set(sys.argv[1:]))
