"""What waits in the queue and what takes from it, as programs read it."""

from contract.queue import SlotOut, WaitingOut
from server.queue.slots import SlotState
from server.queue.waiting import Waiting


def waiting_out(waiting: Waiting) -> WaitingOut:
    """An evaluation that waits, with its names."""
    return WaitingOut.of(waiting, waiting.evaluation, cases_left=waiting.evaluation.remaining)


def slot_out(state: SlotState) -> SlotOut:
    """A slot with what it runs."""
    evaluation = state.evaluation
    return SlotOut.of(
        state,
        state.slot,
        evaluation=evaluation.id if evaluation else None,
        task=evaluation.task if evaluation else None,
    )
