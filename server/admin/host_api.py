"""Acts of admins on run workers over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Body

from contract.accounts import NewWorkerOut
from contract.admin import WorkerRow
from contract.hosts import DrainIn, RotateIn, SuspectedOut, SuspectIn, WorkerWhyIn
from contract.ids import TokenId
from server.accounts import tokens
from server.accounts.deps import AdminDep
from server.admin import hosts, workers
from server.deps import SessionDep, SettingsDep
from server.reevaluations.views import drafted_out

router = APIRouter(prefix="/admin/workers/{worker_id}", tags=["admin"])


@router.post("/drain")
def drain_worker(session: SessionDep, admin: AdminDep, worker_id: TokenId, body: DrainIn) -> WorkerRow:
    """Leases a run worker, or one slot of it, nothing more; it finishes what it holds, and this lasts."""
    hosts.drain(session, worker_id, slot=body.slot, why=body.why, actor=admin.actor)
    return workers.worker(session, worker_id)


@router.post("/resume")
def resume_worker(session: SessionDep, admin: AdminDep, worker_id: TokenId, body: DrainIn) -> WorkerRow:
    """Leases a run worker that drains, or one slot of it, cases again."""
    hosts.resume(session, worker_id, slot=body.slot, why=body.why, actor=admin.actor)
    return workers.worker(session, worker_id)


@router.post("/retire")
def retire_worker(session: SessionDep, admin: AdminDep, worker_id: TokenId, body: WorkerWhyIn) -> WorkerRow:
    """Puts away a run worker that holds nothing: its token ends, lists leave it out, and what it did stays."""
    hosts.retire(session, worker_id, why=body.why, actor=admin.actor)
    return workers.worker(session, worker_id)


@router.post("/rotate")
def rotate_worker(
    session: SessionDep, admin: AdminDep, worker_id: TokenId, body: Annotated[RotateIn, Body()]
) -> NewWorkerOut:
    """A new token for a run worker, shown this once; the one that it has works for some minutes more."""
    token = tokens.rotate_worker(session, worker_id, minutes=body.minutes, actor=admin.actor)
    return NewWorkerOut(name=tokens.worker_row(session, worker_id).name, token=token)


@router.post("/suspect")
def suspect_worker(
    session: SessionDep, settings: SettingsDep, admin: AdminDep, worker_id: TokenId, body: SuspectIn
) -> SuspectedOut:
    """Has a run worker drain, and drafts a re-evaluation of what it answered in each challenge; none is started."""
    found = hosts.suspect(
        session,
        admin,
        worker_id,
        since=body.since,
        until=body.until,
        mode=body.mode,
        why=body.why,
        settings=settings,
    )
    return SuspectedOut(
        worker=workers.worker(session, worker_id),
        answered=[workers.answered_out(answered) for answered in found.answered],
        drafts=[drafted_out(session, *draft, settings) for draft in found.drafts],
        others=found.others,
    )
