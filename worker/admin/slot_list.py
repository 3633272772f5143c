"""`proctor-admin slots`: who works on the queue, how, and why one does not."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from server.queue.slots import SlotState, slot_states
from server.queue.views import slot_out
from worker.admin.context import settings_of, work
from worker.admin.options import Data
from worker.admin.tables import Listing, counted, moment, show, show_json

app = typer.Typer()


@app.command("slots")
def show_slots(
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/slots answers.")] = False,
    data: Data = None,
) -> None:
    """Every slot of run workers: what it offers, when it was seen, what it runs, and why it takes no work.

    'ended' counts the cases that it finished and, after a slash, those that it was leased and gave back.
    """
    with work(settings_of(data)) as session:
        states = slot_states(session)
        if as_json:
            show_json([slot_out(state).model_dump(mode="json") for state in states])
            return
        table = slots_table(states)
    show(table, otherwise="No run worker has asked for a case yet.")


def slots_table(states: list[SlotState]) -> Listing:
    """One row per slot."""
    heads = ("slot", "worker", "state", "seen (UTC)", "offers", "runs", "ended", "evaluation", *_PROSE)
    table = Listing(heads, prose=frozenset(_PROSE))
    for state in states:
        slot = state.slot
        back = slot.handed_back + slot.abandoned + slot.faulted
        table.add(
            slot.name,
            state.worker or "",
            state.state,
            moment(slot.seen_at, seconds=True),
            _offers(state),
            _runs(state),
            f"{slot.finished}/{back}" if slot.finished or back else "",
            str(state.evaluation.id) if state.evaluation else "",
            slot.unfit or "",
            state.strange or "",
        )
    return table


_PROSE = ("unfit because", "warning")


def _runs(state: SlotState) -> str:
    if state.evaluation is None:
        return ""
    age = (
        ""
        if state.oldest is None
        else f" for {(datetime.now(UTC) - state.oldest).total_seconds() / 60:.0f} min"
    )
    return f"{state.running} of {state.evaluation.task}{age}"


def _offers(state: SlotState) -> str:
    slot = state.slot
    model = slot.gpu_model or "GPU"
    gpu = f", {slot.gpus} × {model} of {slot.gpu_memory / 2**30:.0f} GiB" if slot.gpus else ""
    gpu += f", CUDA {slot.gpu_cuda}" if slot.gpus and slot.gpu_cuda else ""
    return f"{counted(slot.cpus, 'core')}, {slot.memory / 2**30:.0f} GiB{gpu}" if slot.cpus else ""
