"""Scoring in a child process."""

import json
import sys

import pytest

from evaluator.spec import merge
from server.disk import Room
from tests.evaluator.datasets import numbers
from worker.score.child import ScoringFailed, score


def test_a_metric_of_ours_that_fails_is_a_fault_of_ours_and_names_itself(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1, 0, 1], [0.1, 0.8, 0.3, 0.7])
    dataset.save_for_command()
    broken = {"odd": {"metric": "tests.evaluator.broken_metrics:raises"}}
    content = merge(dataset.challenge.model_dump(mode="json"), {"boards": {"task1": {"metrics": broken}}})
    (tmp_path / "challenge.json").write_text(json.dumps(content))
    with pytest.raises(ScoringFailed, match=r"broken_metrics:raises failed: it raised KeyError"):
        score(tmp_path, board="task1", references=dataset.references, room=Room(tmp_path, 0))


@pytest.mark.parametrize(
    ("written", "said"),
    [('{"board": "task1"', "Invalid JSON"), ('{"board": "task1", "cases": [], "per_case": {}}', "extras")],
)
def test_a_report_that_cannot_be_read_is_a_fault_of_ours_and_says_why(tmp_path, monkeypatch, written, said):
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nprintf '%s' '{written}' > {tmp_path}/task1.json\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(ScoringFailed, match=rf"task1: its report cannot be read: .*{said}") as failed:
        score(tmp_path, board="task1", references=tmp_path, room=Room(tmp_path, 0))
    assert "https://" not in str(failed.value)
