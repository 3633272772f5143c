"""What an evaluation has cost so far, for admins. Nothing of it is for participants of hidden phases."""

from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from contract.evaluations import Spread, Summary
from server.evaluations.models import CaseRun, Evaluation


def summary_of(session: Session, evaluation: Evaluation) -> Summary:
    """The summary of one evaluation as it stands."""
    own = CaseRun.evaluation_id == evaluation.id

    def counts(column: ColumnElement[Any]) -> dict[str, int]:
        rows = session.execute(
            select(column, func.count()).where(own, column.is_not(None)).group_by(column).order_by(column)
        )
        return {name: count for name, count in rows if name is not None}

    def spread(column: ColumnElement[Any]) -> Spread:
        median = func.percentile_cont(0.5).within_group(column)
        row = session.execute(
            select(func.min(column), median, func.max(column), func.sum(column)).where(own)
        ).one()
        return Spread(low=row[0], median=row[1], high=row[2], total=row[3])

    return Summary(
        statuses=counts(CaseRun.status.expression),
        verdicts=counts(CaseRun.verdict.expression),
        modes=counts(CaseRun.mode.expression),
        seconds=spread(CaseRun.seconds.expression),
        cpu_seconds=spread(CaseRun.cpu_seconds.expression),
        wait_seconds=spread(CaseRun.wait_seconds.expression),
        peak_memory_bytes=evaluation.peak_memory_bytes,
        peak_gpu_memory_bytes=evaluation.peak_gpu_memory_bytes,
        faults=session.scalar(select(func.sum(CaseRun.faults)).where(own)) or 0,
        fresh_only=evaluation.fresh_only,
    )
