"""The score worker's side of an evaluation: claim, settle with reports and a signed receipt, or fail."""

from array import array
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from evaluator.verdicts import PlatformFault
from evaluator.version import evaluator_version
from server.errors import Conflict
from server.evaluations import receipts
from server.evaluations.models import Evaluation, Receipt, Score
from server.evaluations.service import MAX_FAULTS, give_up, lock_evaluation, reject
from server.evaluations.status import EvaluationStatus
from server.settings import Settings

_LEASE = timedelta(hours=2)
_ACTOR = "score worker"


def claim(session: Session) -> Evaluation | None:
    """The evaluation that has waited longest for its scores, leased to the caller."""
    free = or_(Evaluation.scoring_until.is_(None), Evaluation.scoring_until < func.clock_timestamp())
    evaluation = session.scalar(
        select(Evaluation)
        .where(Evaluation.status == EvaluationStatus.SCORING.value, free)
        .order_by(Evaluation.created_at, Evaluation.id)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    )
    if evaluation is not None:
        if evaluation.scoring_until is not None:  # whoever had it died without a word
            evaluation.scoring_faults += 1
            if evaluation.scoring_faults >= MAX_FAULTS:
                give_up(session, evaluation, actor=_ACTOR, code=PlatformFault.SCORER_FAILED)
                return None
        evaluation.scoring_claim += 1
        evaluation.scoring_until = func.clock_timestamp() + _LEASE
        session.flush()
    return evaluation


def settle(
    session: Session,
    evaluation_id: UUID,
    claim_no: int,
    reports: Mapping[str, dict[str, Any]],
    *,
    settings: Settings,
) -> None:
    """Stores what scoring made: SCORED with values, replicates and receipt, or REJECTED with the report's reason.

    Raises:
        Conflict: another score worker has taken the evaluation, or it was cancelled.
    """
    evaluation = _locked(session, evaluation_id, claim_no)
    evaluation.evaluator_version = evaluator_version()
    refused = next((report["rejected"] for report in reports.values() if report["rejected"]), None)
    if refused is not None:
        reject(session, evaluation, actor=_ACTOR, code="run_invalid", why=refused)
        return
    for board, report in reports.items():
        for name, metric in report["metrics"].items():
            session.add(_score(evaluation_id, board, name, metric, report["per_case"].get(name)))
    statement = receipts.statement(evaluation, reports)
    signature = receipts.sign(statement, settings)
    slim = {board: {**report, "metrics": None, "per_case": None} for board, report in reports.items()}
    session.add(Receipt(evaluation_id=evaluation_id, statement=statement, signature=signature, reports=slim))
    evaluation.move_to(session, EvaluationStatus.SCORED, actor=_ACTOR)


def _score(
    evaluation_id: UUID, board: str, name: str, metric: dict[str, Any], per_case: list[float | None] | None
) -> Score:
    missing = float("nan")
    replicates = array("d", (missing if one is None else one for one in metric["replicates"]))
    return Score(
        evaluation_id=evaluation_id,
        board=board,
        metric=name,
        value=metric["value"],
        low=metric["low"],
        high=metric["high"],
        reason=metric["reason"],
        replicates=replicates.tobytes(),
        per_case=per_case,
    )


def fail(session: Session, evaluation_id: UUID, claim_no: int) -> None:
    """Scoring failed by our fault: again later, or ERRORED after too many times."""
    try:
        evaluation = _locked(session, evaluation_id, claim_no)
    except Conflict:
        return  # somebody else's by now
    evaluation.scoring_faults += 1
    evaluation.scoring_until = None
    if evaluation.scoring_faults >= MAX_FAULTS:
        give_up(session, evaluation, actor=_ACTOR, code=PlatformFault.SCORER_FAILED)


def _locked(session: Session, evaluation_id: UUID, claim_no: int) -> Evaluation:
    evaluation = lock_evaluation(session, evaluation_id)
    if evaluation.scoring_claim != claim_no or evaluation.status != EvaluationStatus.SCORING:
        raise Conflict("scoring_lost", "This evaluation is not yours to score any more.")
    return evaluation
