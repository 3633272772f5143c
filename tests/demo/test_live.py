"""What the demo says of evaluations under way, where no terminal shows a table."""

from datetime import UTC, datetime
from typing import Any

from contract.statuses import EvaluationStatus
from contract.submissions import EvaluationOut, SubmissionOut
from demo.live import line

AT = datetime(2026, 11, 30, tzinfo=UTC)


def evaluation(task: str, status: EvaluationStatus, progress: int, cases: int = 40) -> EvaluationOut:
    unset: dict[str, Any] = dict.fromkeys(("reason_code", "reason", "note", "finished_at"))
    known = {"id": "e", "task": task, "image": "sha256:0", "created_at": AT, "verdicts": {}, "scores": {}}
    counts = {"status": status, "progress": progress, "cases": cases}
    return EvaluationOut.model_validate({**unset, **known, **counts})


def submission(*evaluations: EvaluationOut) -> SubmissionOut:
    said = {
        "id": "s",
        "team": "t",
        "track": "method",
        "phase": "validation",
        "created_at": AT,
        "hidden": True,
    }
    ended = all(one.ended for one in evaluations)
    return SubmissionOut.model_validate(
        {**said, "evaluations": evaluations, "ended": ended, "challenge": "fomo26"}
    )


def test_while_many_run_the_pace_tells_when_they_end() -> None:
    running = [
        (team, submission(evaluation("task1", EvaluationStatus.RUNNING, 5))) for team in ("A", "B", "C", "D")
    ]
    assert (
        line(running, 90)
        == "  0 of 4 evaluations ended, about 80 of 160 cases run; about 2 min more at this pace"
    )


def test_before_a_case_has_run_nothing_is_reckoned() -> None:
    running = [
        (team, submission(evaluation("task1", EvaluationStatus.QUEUED, 0))) for team in ("A", "B", "C", "D")
    ]
    assert line(running, 90) == "  0 of 4 evaluations ended, about 0 of 160 cases run"


def test_the_last_ones_are_named_with_how_far_they_are() -> None:
    slow = submission(
        evaluation("task1", EvaluationStatus.SCORED, 10), evaluation("task2", EvaluationStatus.RUNNING, 5)
    )
    running = [
        ("Baseline", slow),
        ("Voxel", submission(evaluation("task4", EvaluationStatus.SCORING, 10, cases=12))),
    ]
    said = line(running, 600)
    assert said.startswith("  1 of 3 evaluations ended, about 72 of 92 cases run; waiting for ")
    assert said.endswith("waiting for Baseline in task2 (50 % of 40 cases) and Voxel in task4 (scoring)")


def test_at_the_end_nobody_is_waited_for() -> None:
    assert line([("A", submission(evaluation("task1", EvaluationStatus.SCORED, 10)))], 60).endswith(
        "about 40 of 40 cases run"
    )
