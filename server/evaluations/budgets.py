"""When an evaluation has used enough: its seconds together, and failures of its image one after the other.

Both depend on what came of the cases, not on the order in which they ended, so that every way through the queue comes
to the same end. The sentences name rules and no figures: when an image begins to fail is its own choice, and free
attempts must not tell it anything of hidden data.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.statuses import CaseStatus
from evaluator.spec import Limits, with_limit
from evaluator.verdicts import HINTS, VALID, commonest, fault_of
from server.evaluations.models import CaseRun, Evaluation

OUT_OF_TIME = "evaluation_too_long"
FAILS_IN_A_ROW = "failures_in_a_row"


@dataclass(frozen=True)
class Stop:
    """Why an evaluation is stopped, as a code and as a sentence for its team."""

    code: str
    why: str


def reason_to_stop(session: Session, evaluation: Evaluation, run: CaseRun) -> Stop | None:
    """The budget that `run`, which has just ended, has used up; None if there is none."""
    limits = evaluation.limits
    allowed = limits.seconds_per_evaluation
    if allowed is not None and evaluation.seconds > allowed:
        why = (
            f"Stopped: the cases together took longer than the {allowed:g} s that the challenge allows one "
            "evaluation. No attempt was spent."
        )
        return Stop(OUT_OF_TIME, why)
    if run.verdict == VALID:
        return None
    if (
        _failures_around(session, run, limits.stop_after_failures_in_a_row)
        < limits.stop_after_failures_in_a_row
    ):
        return None
    counts = failures_of(session, evaluation)
    why = (
        f"Stopped: {limits.stop_after_failures_in_a_row} cases in a row failed, most often by {commonest(counts)}. "
        f"{hint_of(counts, limits)} No attempt was spent."
    )
    return Stop(FAILS_IN_A_ROW, why)


def failures_of(session: Session, evaluation: Evaluation) -> dict[str, int]:
    """How many of an evaluation's cases failed so far, by class."""
    rows = session.execute(
        select(CaseRun.verdict, func.count())
        .where(
            CaseRun.evaluation_id == evaluation.id,
            CaseRun.status == CaseStatus.DONE,
            CaseRun.verdict != VALID,
        )
        .group_by(CaseRun.verdict)
    )
    return {verdict: count for verdict, count in rows if verdict is not None}


def _failures_around(session: Session, run: CaseRun, most: int) -> int:
    """How many failed cases stand beside each other around `run`, by position."""
    query = select(CaseRun.position).where(
        CaseRun.evaluation_id == run.evaluation_id,
        CaseRun.position.between(run.position - most + 1, run.position + most - 1),
        CaseRun.status == CaseStatus.DONE,
        CaseRun.verdict != VALID,
    )
    failed = set(session.scalars(query))
    begin = end = run.position
    while begin - 1 in failed:
        begin -= 1
    while end + 1 in failed:
        end += 1
    return end + 1 - begin


def hint_of(counts: Mapping[str, int], limits: Limits) -> str:
    """The platform's sentence on the most frequent of some failures, with the limit that was met."""
    return with_limit(HINTS[fault_of(commonest(counts))], limits)
