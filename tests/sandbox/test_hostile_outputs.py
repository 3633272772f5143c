"""Every hostile output of the table gets its verdict and its words from the worker's parser, within bounds."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.outputs import decode
from evaluator.spec import Challenge, Task
from sandbox import parse
from sandbox.jobs import CaseJob
from tests.hostile.json_outputs import JSON_OUTPUTS, POINTS, TABLE
from tests.hostile.outputs import OUTPUTS, SCORES, Output

ENGINES = ("docker",)

ROWS = [*OUTPUTS, *JSON_OUTPUTS]

_PATIENCE = 20.0
"""Seconds that no output may take; the slowest takes one."""


COLUMNS = [
    {"name": "risk", "minimum": 0, "maximum": 1},
    {"name": "lesions", "type": "integer", "minimum": 0},
    {"name": "grade", "type": "category", "values": ["low", "high"]},
    {"name": "recurs", "type": "boolean"},
]
STANDS_FOR = {
    SCORES: {"kind": "scores", "classes": ["a", "b", "c"]},
    POINTS: {"kind": "points", "confidence": True, "most": 3},
    TABLE: {"kind": "table", "columns": COLUMNS},
}


def task_of(row: Output, challenge: Challenge) -> Task:
    if row.task not in STANDS_FOR:
        return challenge.tasks[row.task]
    task = challenge.tasks["task5"].model_dump(mode="json")
    return Task.model_validate(task | {"output": STANDS_FOR[row.task]})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_hostile_output_gets_its_verdict(
    row: Output, challenge: Challenge, make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    task = task_of(row, challenge)
    inputs = {"task4": "task4"}.get(row.task, "task5")
    job = make_job(task=inputs, image="sha256:" + "0" * 64)
    job = CaseJob(**(vars(job) | {"task": task}))
    job.scratch.mkdir()
    output = tmp_path / f"output{task.output.suffix}"
    output.write_bytes(row.make())
    started = time.monotonic()
    checked = parse.check(job, output)
    assert time.monotonic() - started < _PATIENCE
    assert row.expects(checked.verdict.code), checked
    assert row.words in checked.verdict.message
    assert (checked.output is not None) == checked.verdict.valid
    if checked.output is not None:
        decode(task, checked.output)
    assert not Path("/tmp/proctor-hostile-exploited").exists()


def test_names_are_told_apart_and_there_are_enough() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) > 100
