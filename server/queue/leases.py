"""Leases: they are kept alive by heartbeats and end at once where a token is revoked.

They live on the database's clock. Every later write names its claim_no and is refused once the lease is lost.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from contract.ids import TokenId
from contract.statuses import CaseStatus
from server.accounts.principals import RunWorker
from server.errors import Conflict
from server.evaluations.models import CaseRun
from server.evaluations.service import Claim, hand_back, lock_claimed
from server.evaluations.worker_models import WorkerSlot
from server.settings import Settings


def heartbeat(
    session: Session, claims: Sequence[Claim], worker: RunWorker, *, settings: Settings
) -> list[Claim]:
    """Renews the leases that `worker` still has, and returns the others, whose containers it has to stop.

    A lease is lost by time, with its evaluation, or by its age. A row that somebody holds is passed over: waiting for
    one with others in hand could deadlock, and it is renewed with the next beat if it is still there then.
    """
    oldest = func.clock_timestamp() - timedelta(seconds=settings.longest_lease_seconds)
    kept = (
        CaseRun.id.in_([claim.case_run for claim in claims])  # alone, for no index helps to find pairs
        & tuple_(CaseRun.id, CaseRun.claim_no).in_([(claim.case_run, claim.claim_no) for claim in claims])
        & (CaseRun.worker_id == worker.id)
        & (CaseRun.status == CaseStatus.RUNNING)
        & (CaseRun.started_at > oldest)
    )
    found = session.execute(select(CaseRun.id, CaseRun.claim_no, CaseRun.worker).where(kept)).all()
    free = select(CaseRun.id).where(kept).with_for_update(skip_locked=True, key_share=True)
    until = func.clock_timestamp() + timedelta(seconds=settings.lease_seconds)
    session.execute(
        update(CaseRun).where(CaseRun.id.in_(free)).values(lease_until=until),
        execution_options={"synchronize_session": False},
    )
    for name in {run.worker for run in found if run.worker}:
        _note_seen(session, worker, name)
    held = {(run.id, run.claim_no) for run in found}
    return [run for run in claims if (run.case_run, run.claim_no) not in held]


def _note_seen(session: Session, worker: RunWorker, name: str) -> None:
    """The slot is there. Whoever holds its row notes the same; waiting for that with a case in hand could deadlock."""
    slot = (WorkerSlot.worker_id == worker.id) & (WorkerSlot.name == name)
    free = select(WorkerSlot.name).where(slot).with_for_update(skip_locked=True)
    seen = update(WorkerSlot).where(WorkerSlot.worker_id == worker.id, WorkerSlot.name.in_(free))
    session.execute(seen.values(seen_at=func.now()), execution_options={"synchronize_session": False})


def take_back(session: Session, worker_id: TokenId, *, actor: str, settings: Settings) -> int:
    """Ends every lease of a token at once; its cases wait again, and nobody is to blame. How many there were."""
    held = session.execute(
        select(CaseRun.id, CaseRun.claim_no)
        .where(CaseRun.worker_id == worker_id, CaseRun.status == CaseStatus.RUNNING)
        .order_by(CaseRun.evaluation_id, CaseRun.id)
    ).all()
    # All locks before anything is changed, in the order of every other path: evaluations, cases, slots.
    locked = [claim for run in held if _is_locked(session, claim := Claim(run.id, run.claim_no))]
    for run in locked:
        hand_back(session, run, actor=actor, settings=settings, why="token revoked")
    return len(locked)


def _is_locked(session: Session, claim: Claim) -> bool:
    try:
        lock_claimed(session, claim)
    except Conflict:
        return False  # settled meanwhile
    return True
