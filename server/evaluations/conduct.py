"""How slots behave: what came of the cases that they were leased, and a pause for one that returns them.

A worker is in the hands of whoever has its host: one that gives back again and again what it was leased waits longer
each time. The queue asks for it in `server.queue.admission`.
"""

from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from contract.ids import TokenId
from server import events
from server.evaluations.models import CaseRun
from server.evaluations.worker_models import WorkerSlot

_FORGIVEN = 10
"""Strikes that cost nothing: a worker that is restarted a few times hands back what it holds each time."""
_RETURNED, _FINISHED = 2, 1
_MOMENT = timedelta(seconds=1)
_MOST_STRIKES = 40
_LONGEST_PAUSE = 120.0


class Return(StrEnum):
    """How a case came back without a verdict; each is counted in the slot's column of this name."""

    HANDED_BACK = "handed_back"
    ABANDONED = "abandoned"
    FAULTED = "faulted"


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
