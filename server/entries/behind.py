"""What the rows of evaluations hold that a board does not show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.events import Subject
from contract.ids import EvaluationId
from contract.images import ImageFacts
from contract.statuses import CaseStatus, ReevaluationState
from server.challenges.models import SpecVersion
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.result_models import Receipt
from server.events import Event
from server.images.models import Image


@dataclass(frozen=True)
class Behind:
    """An evaluation as it was made. anew_at: when a re-evaluation that made it was applied; None for all others.

    version: the digest of the challenge file. signed: whether there is a receipt. facts: what the check found of its
    image.
    """

    id: EvaluationId
    image: str
    version: str
    evaluator: str | None
    scored_with: Mapping[str, Any] | None
    anew_at: datetime | None
    signed: bool
    facts: ImageFacts


def behind_of(session: Session, evaluations: Sequence[EvaluationId]) -> dict[EvaluationId, Behind]:
    """Evaluations by their ids, in one statement.

    When one was applied is asked of its event: that is written after the amendments that tell of it, which are then
    no later than what it brought.
    """
    applied = (
        select(func.max(Event.created_at))
        .where(
            Event.subject == Subject.REEVALUATION,
            Event.subject_id == Evaluation.reevaluation_id,
            Event.new == ReevaluationState.APPLIED,
        )
        .scalar_subquery()
    )
    query = (
        select(
            Evaluation.id,
            Image.digest,
            SpecVersion.digest,
            Evaluation.evaluator_version,
            Evaluation.scored_with,
            applied,
            Receipt.evaluation_id.is_not(None),
            Image.facts,
        )
        .join(Image, Image.id == Evaluation.image_id)
        .join(SpecVersion, SpecVersion.id == Evaluation.spec_version_id)
        .outerjoin(Receipt, Receipt.evaluation_id == Evaluation.id)
        .where(Evaluation.id.in_(set(evaluations)))
    )
    return {row[0]: Behind(*row) for row in session.execute(query)}


def failed_of(session: Session, evaluations: Sequence[EvaluationId]) -> dict[EvaluationId, dict[str, int]]:
    """How many cases of each evaluation ended with which verdict."""
    found: dict[EvaluationId, dict[str, int]] = {one: {} for one in evaluations}
    rows = session.execute(
        select(CaseRun.evaluation_id, CaseRun.verdict, func.count())
        .where(CaseRun.evaluation_id.in_(evaluations), CaseRun.status == CaseStatus.DONE)
        .group_by(CaseRun.evaluation_id, CaseRun.verdict)
        .order_by(func.count().desc(), CaseRun.verdict)
    )
    for evaluation, verdict, count in rows:
        found[evaluation][verdict or ""] = count
    return found
