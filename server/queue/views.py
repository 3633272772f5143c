"""What waits in the queue and what takes from it, as programs read it."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from contract.queue import SlotOut, WaitingOut
from server.evaluations.errors import stalled
from server.queue.slots import SlotState, fleet, no_worker_note
from server.queue.waiting import Waiting

_PAUSE = "the end of a pause after a fault of the platform"


def waiting_out(session: Session, waiting: Sequence[Waiting]) -> list[WaitingOut]:
    """Evaluations that wait, with their names and what they wait for."""
    known = fleet(session)
    paused = stalled(session, [one.evaluation.id for one in waiting])
    return [
        WaitingOut.of(
            one,
            one.evaluation,
            cases_left=one.evaluation.remaining,
            waits_for=_PAUSE
            if one.evaluation.id in paused
            else _lacks(no_worker_note(one.evaluation, known)),
        )
        for one in waiting
    ]


def _lacks(note: str | None) -> str | None:
    """What is lacking, of what a team is told of it."""
    return None if note is None else note.split(";")[0].split(": ", 1)[-1]


def slot_out(state: SlotState) -> SlotOut:
    """A slot with what it runs."""
    evaluation = state.evaluation
    return SlotOut.of(
        state,
        state.slot,
        warning=state.strange,
        evaluation=evaluation.id if evaluation else None,
        task=evaluation.task if evaluation else None,
    )
