"""Case runs of one evaluation that change their status together, in two statements however many they are."""

from collections.abc import Collection, Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from contract.statuses import CaseStatus
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.status import CASE_MOVES
from server.events import Event
from server.moves import require_legal


def move_runs(
    session: Session,
    evaluation: Evaluation,
    old: Collection[CaseStatus],
    new: CaseStatus,
    *,
    actor: str,
    why: str,
    **values: object,
) -> Sequence[CaseRun]:
    """Every case run of `evaluation`, which is locked, that stands in `old`: it is `new` with `values` now.

    Each has its event.

    Raises:
        IllegalMove: the table of moves does not hold one of these.
    """
    for status in old:
        require_legal(CASE_MOVES, status, new, f"case runs of {evaluation.id}")
    which = CaseRun.evaluation_id == evaluation.id, CaseRun.status.in_(old)
    rows = session.execute(select(CaseRun.id, CaseRun.status).where(*which).with_for_update())
    before = {row.id: row.status for row in rows}
    runs = session.scalars(
        update(CaseRun).where(*which).values(status=new, **values).returning(CaseRun)
    ).all()
    told = [
        {
            "subject": "case_run",
            "subject_id": run.id,
            "old": before[run.id],
            "new": new,
            "claim_no": run.claim_no,
            "actor": actor,
            "why": why,
        }
        for run in runs
    ]
    if told:
        session.execute(insert(Event), told)
    return runs
