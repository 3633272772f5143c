"""How slots behave: what one may hold at once, how many a token may have, and a pause for one that returns its cases.

A worker is in the hands of whoever has its host. Whatever it says, a slot holds no more than two of its batches and
what is being settled, and one that gives back again and again what it was leased waits longer each time.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, delete, func, select, text, update
from sqlalchemy.orm import Session

from contract.ids import TokenId
from contract.problems import ErrorCode
from server import events
from server.accounts.principals import RunWorker
from server.errors import NotNow
from server.evaluations.models import CaseRun
from server.evaluations.worker_models import WorkerSlot

BEING_SETTLED = 2
"""Cases beside two batches (the one that runs and the next one) that a slot may hold: their containers have ended."""
_FULL_FOR, _CROWDED_FOR = 2.0, 60.0
_FORGIVEN = 10
"""Strikes that cost nothing: a worker that is restarted a few times hands back what it holds each time."""
_RETURNED, _FINISHED = 2, 1
_MOMENT = timedelta(seconds=1)
_MOST_STRIKES = 40
_LONGEST_PAUSE = 120.0
_MAKES_ROOM_AFTER = timedelta(hours=1)
_FORGOTTEN_AFTER = timedelta(days=30)


class Return(StrEnum):
    """How a case came back without a verdict; each is counted in the slot's column of this name."""

    HANDED_BACK = "handed_back"
    ABANDONED = "abandoned"
    FAULTED = "faulted"


def admit(session: Session, worker: RunWorker, name: str) -> None:
    """Lets a slot ask for a case, and locks its row if it has one.

    So two requests of one slot at the same time come one after the other, and the later one sees what the other got.

    Raises:
        NotNow: the slot has a pause, or its token has as many slots as it may have.
    """
    own = (WorkerSlot.worker_id == worker.id) & (WorkerSlot.name == name)
    clock = func.clock_timestamp()
    paused = select(WorkerSlot.paused_until, clock).where(own).with_for_update()
    found = session.execute(paused).one_or_none()
    if found is None:
        _take_place(session, worker)
        found = session.execute(paused).one_or_none()
    if found is not None and found[0] is not None and found[0] > found[1]:
        seconds = (found[0] - found[1]).total_seconds()
        why = "This slot gave back, again and again, cases that it was leased, so it has a pause"
        raise NotNow(ErrorCode.SLOT_PAUSED, f"{why}: ask again in {seconds:.0f} s.", seconds=seconds)


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


def note_finished(session: Session, run: CaseRun) -> None:
    """Counts a case that its slot has answered."""
    strikes = func.greatest(WorkerSlot.strikes - _FINISHED, 0)
    _change(session, run, finished=WorkerSlot.finished + 1, strikes=strikes)


def note_returned(session: Session, run: CaseRun, how: Return) -> None:
    """Counts a case that came back without a verdict; a slot that has too many strikes for it gets a pause.

    What comes back within a moment is one strike, and what it held when a pause began adds nothing: a host that stops
    or dies returns all its cases at once.
    """
    clock = func.clock_timestamp()
    slot = session.execute(
        select(WorkerSlot.strikes, WorkerSlot.struck_at, WorkerSlot.paused_until, clock.label("now"))
        .where(_of(run))
        .with_for_update()
    ).one_or_none()
    if slot is None:
        return
    changed: dict[str, object] = {how.value: getattr(WorkerSlot, how.value) + 1}
    quiet = slot.struck_at is None or slot.struck_at < slot.now - _MOMENT
    if quiet and (slot.paused_until is None or slot.paused_until <= slot.now):
        strikes = min(slot.strikes + _RETURNED, _MOST_STRIKES)
        changed |= {"strikes": strikes, "struck_at": slot.now}
        if (pause := pause_after(strikes)) > 0:
            changed["paused_until"] = slot.now + timedelta(seconds=pause)
    _change(session, run, **changed)
    if "paused_until" in changed and run.worker_id is not None and run.worker is not None:
        why = "It gives back, again and again, cases that it was leased."
        tell(session, run.worker_id, run.worker, f"paused for {pause:g} s", why, actor=events.PLATFORM)


def tell(session: Session, worker_id: TokenId, name: str, what: str, why: str | None, *, actor: str) -> None:
    """Records an event of a slot, one a second at most: what it says of itself must not fill the event log."""
    clock = func.clock_timestamp()
    quiet = WorkerSlot.told_at.is_(None) | (WorkerSlot.told_at < clock - _MOMENT)
    own = (WorkerSlot.worker_id == worker_id) & (WorkerSlot.name == name)
    told = session.execute(
        update(WorkerSlot)
        .where(own, quiet)
        .values(told_at=clock, seen_at=WorkerSlot.seen_at)
        .returning(WorkerSlot.name),
        execution_options={"synchronize_session": False},
    )
    if told.one_or_none() is not None:
        events.record(session, "worker", worker_id, actor=actor, what=f"slot {name} {what}", why=why)


def pause_after(strikes: int) -> float:
    """Seconds for which a slot with so many strikes is leased nothing: they double, up to two minutes."""
    over = (strikes - _FORGIVEN) / _RETURNED
    return 0.0 if over <= 0 else float(min(2.0 ** (over - 1), _LONGEST_PAUSE))


def _of(run: CaseRun) -> ColumnElement[bool]:
    return (WorkerSlot.worker_id == run.worker_id) & (WorkerSlot.name == run.worker)


def _change(session: Session, run: CaseRun, **values: object) -> None:
    # `seen_at` says when the slot was there, which a lease that ran out does not.
    session.execute(
        update(WorkerSlot).where(_of(run)).values({"seen_at": WorkerSlot.seen_at} | values),
        execution_options={"synchronize_session": False},
    )
