"""Which slots may ask for cases: how much one may hold at once, how many a token may have, and a pause that one has.

Whatever a worker says, a slot holds no more than two of its batches and what is being settled.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, delete, func, select, text
from sqlalchemy.orm import Session

from contract.ids import TokenId
from contract.problems import ErrorCode
from server.accounts.principals import RunWorker
from server.errors import NotNow
from server.evaluations.worker_models import WorkerSlot

BEING_SETTLED = 2
"""Cases beside two batches (the one that runs and the next one) that a slot may hold: their containers have ended."""
_FULL_FOR, _CROWDED_FOR = 2.0, 60.0
_MAKES_ROOM_AFTER = timedelta(hours=1)
_FORGOTTEN_AFTER = timedelta(days=30)


def admit(session: Session, worker: RunWorker, name: str) -> bool:
    """Lets a slot ask for a case, and locks its row if it has one; whether it gets none, because it drains.

    So two requests of one slot at the same time come one after the other, and the later one sees what the other got.

    Raises:
        NotNow: the slot has a pause, or its token has as many slots as it may have.
    """
    own = (WorkerSlot.worker_id == worker.id) & (WorkerSlot.name == name)
    clock = func.clock_timestamp()
    paused = select(WorkerSlot.paused_until, clock, WorkerSlot.draining_since).where(own).with_for_update()
    found = session.execute(paused).one_or_none()
    if found is None:
        _take_place(session, worker)
        found = session.execute(paused).one_or_none()
    if found is not None and found[0] is not None and found[0] > found[1]:
        seconds = (found[0] - found[1]).total_seconds()
        why = "This slot gave back, again and again, cases that it was leased, so it has a pause"
        raise NotNow(ErrorCode.SLOT_PAUSED, f"{why}: ask again in {seconds:.0f} s.", seconds=seconds)
    return worker.drains or (found is not None and found[2] is not None)


def room(held: Mapping[str, int], mode: str, batch: int) -> int:
    """How many more cases of `mode` the slot may be leased, whose batches have `batch` cases at most.

    Raises:
        NotNow: none.
    """
    left = 2 * batch + BEING_SETTLED - held.get(mode, 0)
    if left < 1:
        why = f"This slot holds {held[mode]} cases, as many as it may: finish them, or hand them back"
        raise NotNow(ErrorCode.SLOT_IS_FULL, f"{why}.", seconds=_FULL_FOR)
    return left


def make_place(session: Session, worker: RunWorker, name: str) -> None:
    """Sees to it that the token may have a slot called `name`.

    Raises:
        NotNow: it is new, and the token has as many as it may have.
    """
    if session.scalar(_slots(worker.id).where(WorkerSlot.name == name)) is None:
        _take_place(session, worker)


def _take_place(session: Session, worker: RunWorker) -> None:
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": str(worker.id)})
    if _count(session, worker.id) < worker.slots:
        return
    session.execute(delete(WorkerSlot).where(WorkerSlot.worker_id == worker.id, _idle_for(_MAKES_ROOM_AFTER)))
    if _count(session, worker.id) >= worker.slots:
        why = f"This token has {worker.slots} slots, as many as it may have; one that is gone for an hour makes room"
        raise NotNow(ErrorCode.TOO_MANY_SLOTS, f"{why}. An admin can give a host more.", seconds=_CROWDED_FOR)


def _slots(worker_id: TokenId) -> Select[str]:
    return select(WorkerSlot.name).where(WorkerSlot.worker_id == worker_id)


def _count(session: Session, worker_id: TokenId) -> int:
    return session.scalar(select(func.count()).where(WorkerSlot.worker_id == worker_id)) or 0


def _idle_for(time: timedelta) -> ColumnElement[bool]:
    """Slots that were not seen for so long, and hold nothing."""
    return (WorkerSlot.seen_at < func.now() - time) & WorkerSlot.charged_at.is_(None)


def forget_old_slots(session: Session) -> int:
    """Removes slots that nobody has seen for a month; how many."""
    gone = session.execute(delete(WorkerSlot).where(_idle_for(_FORGOTTEN_AFTER)).returning(WorkerSlot.name))
    return len(gone.all())
