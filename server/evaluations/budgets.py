"""When an evaluation has used enough: its seconds together, and failures of its image one after the other.

Both depend on what came of the cases, not on the order in which they ended, so that every way through the queue comes
to the same end. The sentences name rules and no figures: when an image begins to fail is its own choice, and free
attempts must not tell it anything of hidden data.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluator.verdicts import HINTS, Fault
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.status import CaseStatus

OUT_OF_TIME = "evaluation_too_long"
FAILS_IN_A_ROW = "failures_in_a_row"
CODES = frozenset({OUT_OF_TIME, FAILS_IN_A_ROW})


@dataclass(frozen=True)
class Stop:
    """Why an evaluation is stopped, as a code and as a sentence for its team."""

    code: str
    why: str


def reason_to_stop(session: Session, evaluation: Evaluation, run: CaseRun) -> Stop | None:
    """The budget that `run`, which has just ended, has used up; None if there is none."""
    limits = evaluation.spec_version.spec.limits_of(evaluation.task)
    allowed = limits.seconds_per_evaluation
    if allowed is not None and evaluation.seconds > allowed:
        why = (
            f"Stopped: the cases together took longer than the {allowed:g} s that the challenge allows one "
            "evaluation. No attempt was spent."
        )
        return Stop(OUT_OF_TIME, why)
    if run.verdict == "valid":
        return None
    verdicts = _failures_around(session, run, limits.stop_after_failures_in_a_row)
    if len(verdicts) < limits.stop_after_failures_in_a_row:
        return None
    counts = Counter(verdicts)
    most = max(counts, key=lambda code: counts[code])
    why = (
        f"Stopped: {limits.stop_after_failures_in_a_row} cases in a row failed, most often by {most}. "
        f"{hint_of(counts)} No attempt was spent."
    )
    return Stop(FAILS_IN_A_ROW, why)


def _failures_around(session: Session, run: CaseRun, most: int) -> list[str]:
    """The verdicts of the failed cases that stand beside each other around `run`, by position."""
    query = select(CaseRun.position, CaseRun.verdict).where(
        CaseRun.evaluation_id == run.evaluation_id,
        CaseRun.position.between(run.position - most + 1, run.position + most - 1),
        CaseRun.status == CaseStatus.DONE.value,
        CaseRun.verdict != "valid",
    )
    failed = {position: verdict for position, verdict in session.execute(query) if verdict is not None}
    begin = end = run.position
    while begin - 1 in failed:
        begin -= 1
    while end + 1 in failed:
        end += 1
    return [failed[position] for position in range(begin, end + 1)]


def hint_of(counts: Mapping[str, int]) -> str:
    """The platform's sentence on the most frequent of some failures."""
    most = max(counts, key=lambda code: counts[code])
    return HINTS[Fault(most.partition(":")[0])]
