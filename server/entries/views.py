"""What stands behind an entry, as it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contract.entries import BoardEntryOut, FailedCasesOut, RepeatedRunsOut, ScoredWithOut
from contract.ids import EvaluationId
from evaluator.spec import Challenge as Spec
from evaluator.verdicts import VALID
from server.amendments.models import Amendment
from server.amendments.views import amendment_out
from server.entries.behind import Behind
from server.evaluations.ticks import step_seconds
from server.leaderboard.service import Attempt
from server.reevaluations.repeats import Repeats


@dataclass(frozen=True)
class Told:
    """What whoever asks may know.

    private: what is the team's own. organizer: by the addresses that are theirs. hidden: whether ends show late.
    failed, repeated: by evaluation; None where they are not told. amended: what was amended of single tasks.
    """

    spec: Spec
    private: bool
    organizer: bool
    hidden: bool
    failed: Mapping[EvaluationId, Mapping[str, int]] | None
    repeated: Mapping[EvaluationId, Repeats] | None
    amended: Sequence[Amendment]


def board_entry_out(attempt: Attempt, behind: Behind, told: Told) -> BoardEntryOut:
    """What stands behind an entry of one board."""
    board = told.spec.boards[attempt.board]
    since = behind.anew_at or _scored_after(attempt, hidden=told.hidden)
    return BoardEntryOut(
        board=attempt.board,
        title=board.title,
        task=board.task,
        differs=list(attempt.differs),
        submitted_at=attempt.submitted_at,
        scored_at=attempt.scored_at,
        anew_at=behind.anew_at,
        amended=[
            amendment_out(one) for one in told.amended if one.task == board.task and one.created_at > since
        ],
        scored_with=ScoredWithOut(
            evaluator=behind.evaluator, version=behind.version, metrics=_metrics(behind.scored_with, attempt)
        ),
        failed=_failed(behind, told),
        repeated=_repeated(behind, told),
        evaluation=str(behind.id) if told.private else None,
        receipt=_receipt(behind, told) if told.private and behind.signed else None,
    )


def _scored_after(attempt: Attempt, *, hidden: bool) -> datetime:
    """A moment that it had not ended before, made of what is shown: nobody learns more of when a hidden one ended."""
    if attempt.scored_at is None:
        return attempt.submitted_at
    elapsed = (attempt.scored_at - attempt.submitted_at).total_seconds()
    late = timedelta(seconds=step_seconds(elapsed) if hidden else 0)
    return max(attempt.submitted_at, attempt.scored_at - late)


def _metrics(scored_with: Mapping[str, Any] | None, attempt: Attempt) -> dict[str, str | None]:
    found = (scored_with or {}).get(attempt.board, {}).get("metrics", {})
    return {key: metric.get("code") for key, metric in found.items()}


def _failed(behind: Behind, told: Told) -> FailedCasesOut | None:
    if told.failed is None:
        return None
    counts = told.failed[behind.id]
    failed = {verdict: count for verdict, count in counts.items() if verdict != VALID}
    return FailedCasesOut(
        failed=sum(failed.values()), cases=sum(counts.values()), verdicts=failed if told.private else None
    )


def _repeated(behind: Behind, told: Told) -> RepeatedRunsOut | None:
    if told.repeated is None:
        return None
    return RepeatedRunsOut.model_validate(told.repeated.get(behind.id, Repeats()))


def _receipt(behind: Behind, told: Told) -> str:
    return (
        f"/admin/evaluations/{behind.id}/receipt" if told.organizer else f"/evaluations/{behind.id}/receipt"
    )
