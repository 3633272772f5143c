"""The cases of one evaluation for their readers: page by page with the ends of their logs, and one with all of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, contains_eager, defer

from contract.ids import CaseRunId
from contract.problems import ErrorCode
from server.datasets.models import Case
from server.errors import NotFound
from server.evaluations.models import CaseRun, Evaluation

MOST = 200
"""Cases that one page may have."""
LOG_END = 2_000
"""Characters of a log that a page shows of each case: where it says what went wrong."""


@dataclass(frozen=True)
class Shown:
    """A case run with its log, or the end of it; `log_length` is the whole log's in characters."""

    run: CaseRun
    log: str | None
    log_length: int


def page(session: Session, evaluation: Evaluation, *, after: CaseRunId | None, limit: int) -> Sequence[Shown]:
    """Up to `limit` cases in order, those after the case run `after` where it is given; logs come shortened."""
    length = func.coalesce(func.length(CaseRun.log), 0)
    query = (
        select(CaseRun, func.right(CaseRun.log, LOG_END), length)
        .join(CaseRun.case)
        .where(CaseRun.evaluation_id == evaluation.id)
        .options(contains_eager(CaseRun.case), defer(CaseRun.log), defer(CaseRun.receipt))
        .order_by(CaseRun.position)
        .limit(min(limit, MOST))
    )
    if after is not None:
        before = select(CaseRun.position).where(CaseRun.id == after, CaseRun.evaluation_id == evaluation.id)
        query = query.where(CaseRun.position > before.scalar_subquery())
    return [Shown(run, log, length) for run, log, length in session.execute(query)]


def one(session: Session, evaluation: Evaluation, case_run: CaseRunId) -> Shown:
    """One case of the evaluation, with all of its log.

    Raises:
        NotFound: the evaluation has no such case.
    """
    query = select(CaseRun).join(Case).where(CaseRun.id == case_run, CaseRun.evaluation_id == evaluation.id)
    run = session.scalar(query)
    if run is None:
        raise NotFound(
            ErrorCode.UNKNOWN_CASE, "This evaluation has no such case. The list of its cases has their ids."
        )
    return Shown(run, run.log, len(run.log or ""))
