"""Phases as they leave: secrets of commitments only where the leaderboard is released."""

from sqlalchemy.orm import Session

from contract.phases import CommitmentsOut, DatesPlan, FrozenPlanOut, LabelCommitmentOut
from server.amendments.frozen import opened_plans
from server.amendments.models import LabelCommitment
from server.challenges.models import Challenge
from server.challenges.service import get_phase
from server.clock import now
from server.phases.commitments import commitments, is_in_force
from server.phases.dates import Dated


def dates_out(dated: Dated) -> DatesPlan:
    """Planned dates."""
    return DatesPlan(
        phase=dated.name,
        opens=dated.phase.opens,
        closes=dated.phase.closes,
        sentences=dated.sentences,
        plan=dated.planned,
    )


def commitments_out(session: Session, challenge: Challenge, phase: str) -> CommitmentsOut:
    """What everybody may read of what was fixed for a phase.

    Raises:
        NotFound: there is no such phase.
    """
    get_phase(challenge.spec, phase)
    open_to_all = phase in challenge.released
    return CommitmentsOut(
        phase=phase,
        plan=_plan_out(session, challenge, phase, open_to_all=open_to_all),
        labels=[_label_out(row, open_to_all=open_to_all) for row in commitments(session, challenge, phase)],
    )


def _plan_out(
    session: Session, challenge: Challenge, phase: str, *, open_to_all: bool
) -> FrozenPlanOut | None:
    found = opened_plans(session, challenge, at=now(session)).get(phase)
    if found is None:
        return None
    return FrozenPlanOut(
        digest=found.frozen.digest,
        at=found.frozen.created_at,
        late=found.late,
        now=found.now.digest,
        content=found.now.content if open_to_all else None,
    )


def _label_out(row: LabelCommitment, *, open_to_all: bool) -> LabelCommitmentOut:
    return LabelCommitmentOut(
        task=row.dataset.task,
        digest=row.digest,
        at=row.created_at,
        in_force=is_in_force(row),
        salt=row.salt if open_to_all else None,
        labels=row.labels if open_to_all else None,
    )
