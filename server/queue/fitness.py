"""What run workers say of their slots themselves: that a host is examined, why a slot takes no work, that it does."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.notices import Audience, NoticeKind
from server.accounts.principals import RunWorker
from server.clock import now
from server.evaluations import conduct
from server.evaluations.worker_models import WorkerSlot
from server.notices.service import tell
from server.queue.admission import make_place


def note_unfit(session: Session, worker: RunWorker, name: str, why: str | None) -> None:
    """Notes why a slot takes no work, or with None that it does again, and when that changed."""
    old = session.scalar(
        select(WorkerSlot.unfit).where(WorkerSlot.worker_id == worker.id, WorkerSlot.name == name)
    )
    make_place(session, worker, name)
    _enter(session, worker, name, {"unfit": why, "examining_since": None})
    if why != old:
        what = "fit again" if why is None else "unfit"
        conduct.tell(session, worker.id, name, what, why, actor=worker.actor)
    if why is not None and old is None:
        tell(
            session,
            NoticeKind.SLOT_UNFIT,
            Audience.ADMINS,
            title=f"Slot {name} of {worker.name} takes no work",
            text=f"It found itself unfit: {why}",
            about={"worker": worker.id, "slot": name},
            key=f"unfit:{worker.id}:{name}:{now(session):%Y-%m-%dT%H}",
        )


def note_examining(session: Session, worker: RunWorker, name: str) -> None:
    """Notes that a slot takes no work before its host has passed its checks, which have begun; nobody is told."""
    make_place(session, worker, name)
    _enter(session, worker, name, {"examining_since": func.now()})


def _enter(session: Session, worker: RunWorker, name: str, said: Mapping[str, Any]) -> None:
    """Enters it in the slot's row; one that has not asked for a case yet offers nothing."""
    nothing = {"cpus": 0.0, "memory": 0, "gpus": 0, "gpu_memory": 0}
    seen = {"seen_at": func.now(), **said}
    query = insert(WorkerSlot).values(worker_id=worker.id, name=name, **nothing, **seen)
    session.execute(query.on_conflict_do_update(index_elements=["worker_id", "name"], set_=seen))
