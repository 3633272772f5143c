"""Reports of scoring, stored whole: whatever is asked of them later needs neither labels nor another scoring.

A report's figures are columns of its scores, for boards ask for them; long rows of numbers are float64, an eighth of
what they are as text in JSON. Everything else stands as the evaluator wrote it.
"""

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isnan, nan
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, undefer

from contract.ids import EvaluationId
from evaluator.scoring import MetricReport, Report
from server.evaluations.result_models import BoardReport, Score

_BYTES = array("d").itemsize


def store(session: Session, evaluation_id: EvaluationId, reports: Mapping[str, Report]) -> None:
    """Keeps the reports of an evaluation by board. A rejected one has no scores: it is kept in one piece."""
    for board, report in reports.items():
        apart = set() if report.rejected is not None else {"metrics", "per_case"}
        content = report.model_dump(mode="json", exclude=apart)
        session.add(BoardReport(evaluation_id=evaluation_id, board=board, content=content))
        if report.rejected is None:
            session.add_all(_scores(evaluation_id, board, report))


def stored(session: Session, evaluations: Collection[EvaluationId]) -> dict[EvaluationId, dict[str, Report]]:
    """The reports of evaluations by board, as they were stored; an evaluation without any is left out."""
    found: dict[EvaluationId, dict[str, Report]] = {}
    scores: dict[tuple[EvaluationId, str], list[Score]] = {}
    whole = (undefer(Score.replicates), undefer(Score.influence), undefer(Score.per_case))
    query = select(Score).where(Score.evaluation_id.in_(evaluations)).order_by(Score.id)
    for score in session.scalars(query.options(*whole)):
        scores.setdefault((score.evaluation_id, score.board), []).append(score)
    kept = select(BoardReport).where(BoardReport.evaluation_id.in_(evaluations)).order_by(BoardReport.board)
    for report in session.scalars(kept):
        own = scores.get((report.evaluation_id, report.board), ())
        found.setdefault(report.evaluation_id, {})[report.board] = _report(report.content, own)
    return found


def incomplete(
    session: Session, wanted: Mapping[EvaluationId, Collection[str]]
) -> list[tuple[EvaluationId, str]]:
    """The evaluations and boards of `wanted` without a whole report: there is none, or its numbers are cut off."""
    there = select(BoardReport.evaluation_id, BoardReport.board).where(BoardReport.evaluation_id.in_(wanted))
    cut = select(Score.evaluation_id, Score.board).where(
        Score.evaluation_id.in_(wanted),
        or_(
            func.length(Score.replicates) % _BYTES != 0,
            func.coalesce(func.length(Score.influence), 0) % _BYTES != 0,
        ),
    )
    whole = {tuple(row) for row in session.execute(there)} - {tuple(row) for row in session.execute(cut)}
    return [(id_, board) for id_, boards in wanted.items() for board in boards if (id_, board) not in whole]


def _scores(evaluation_id: EvaluationId, board: str, report: Report) -> Iterator[Score]:
    for name, metric in report.metrics.items():
        per_case = report.per_case.get(name)
        yield Score(
            evaluation_id=evaluation_id,
            board=board,
            metric=name,
            value=metric.value,
            low=metric.low,
            high=metric.high,
            interval_method=metric.interval_method,
            reason=metric.reason,
            note=metric.interval_note,
            fault=metric.fault,
            lacks=metric.lacks,
            replicates=_packed(metric.replicates),
            influence=None if metric.influence is None else _packed(metric.influence),
            per_case=None if per_case is None else list(per_case),
        )


def _report(content: Mapping[str, Any], scores: Sequence[Score]) -> Report:
    apart = {
        "metrics": {score.metric: _metric(score) for score in scores},
        "per_case": {score.metric: score.per_case for score in scores if score.per_case is not None},
    }
    return Report.model_validate({**apart, **content})


def _metric(score: Score) -> MetricReport:
    return MetricReport.model_validate(
        {
            "value": score.value,
            "reason": score.reason,
            "low": score.low,
            "high": score.high,
            "interval_method": score.interval_method,
            "interval_note": score.note,
            "replicates": _unpacked(score.replicates),
            "influence": None if score.influence is None else _unpacked(score.influence),
            "fault": score.fault,
            "lacks": score.lacks,
        }
    )


def _packed(numbers: Sequence[float | None]) -> bytes:
    return array("d", (nan if number is None else number for number in numbers)).tobytes()


def _unpacked(content: bytes) -> tuple[float | None, ...]:
    return tuple(None if isnan(number) else number for number in array("d", content))
