"""Whether an image answers the same cases alike, as repetitions of re-evaluations have shown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from contract.ids import EvaluationId
from contract.statuses import CaseStatus, ReevaluationState
from evaluator.verdicts import VALID
from server.evaluations.models import CaseRun, Evaluation
from server.reevaluations.models import Reevaluation


@dataclass(frozen=True)
class Repeats:
    """How many cases ran several times, and of how many of them the output or the verdict differs."""

    cases: int = 0
    differing: int = 0


def repeats(
    session: Session, evaluations: Collection[EvaluationId], *, applied: bool
) -> Mapping[EvaluationId, Repeats]:
    """What is known of evaluations by repetitions of them, and of those in whose place they came, in one statement.

    A case differs as the preview has it: by its output or its verdict. Outputs that are swept tell nothing. Whatever
    was not repeated is left out.

    applied: only by re-evaluations that are applied, which everybody reads of.
    """
    line = (
        select(Evaluation.id.label("head"), Evaluation.id.label("id"), Evaluation.replaces_id.label("before"))
        .where(Evaluation.id.in_(evaluations))
        .cte("line", recursive=True)
    )
    older = aliased(Evaluation)
    line = line.union(select(line.c.head, older.id, older.replaces_id).join(line, older.id == line.c.before))
    state: ColumnElement[bool] = Reevaluation.state == ReevaluationState.APPLIED if applied else true()
    cases = (
        select(
            line.c.head,
            func.count(func.coalesce(CaseRun.output, "").distinct()).label("outputs"),
            func.count(CaseRun.verdict.distinct()).label("verdicts"),
        )
        .select_from(line)
        .join(Evaluation, Evaluation.replaces_id == line.c.id)
        .join(Reevaluation, Reevaluation.id == Evaluation.reevaluation_id)
        .join(CaseRun, CaseRun.evaluation_id == Evaluation.id)
        .where(
            state,
            Reevaluation.repetitions > 1,
            CaseRun.status == CaseStatus.DONE,
            or_(CaseRun.verdict != VALID, CaseRun.output.is_not(None)),
        )
        .group_by(line.c.head, Evaluation.reevaluation_id, Evaluation.replaces_id, CaseRun.case_id)
        .having(func.count() > 1)
        .subquery()
    )
    differ = or_(cases.c.outputs > 1, cases.c.verdicts > 1)
    rows = session.execute(
        select(cases.c.head, func.count(), func.count().filter(differ)).group_by(cases.c.head)
    )
    return {head: Repeats(count, differing) for head, count, differing in rows}
