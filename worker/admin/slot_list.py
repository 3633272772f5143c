"""`proctor-admin slots`: who works on the queue, and why one does not."""

from pathlib import Path
from typing import Annotated

import typer

from server.evaluations.schemas import SlotOut
from server.evaluations.slots import SlotState, slot_states
from worker.admin.context import settings_of, work
from worker.admin.tables import Listing, counted, moment, show, show_json

app = typer.Typer()


@app.command("slots")
def show_slots(
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/slots answers.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Every slot of run workers: what it offers, when it was seen, what it runs, and why it takes no work."""
    with work(settings_of(data)) as session:
        states = slot_states(session)
        if as_json:
            show_json([SlotOut.of(one).model_dump(mode="json") for one in states])
            return
        table = slots_table(states)
    show(table, otherwise="No run worker has asked for a case yet.")


def slots_table(states: list[SlotState]) -> Listing:
    """One row per slot."""
    heads = ("slot", "state", "seen (UTC)", "offers", "runs", "evaluation", "unfit because")
    table = Listing(heads, prose=frozenset(("unfit because",)))
    for one in states:
        table.add(
            one.slot.name,
            one.state,
            moment(one.slot.seen_at, seconds=True),
            _offers(one),
            f"{one.running} of {one.evaluation.task}" if one.evaluation else "",
            str(one.evaluation.id) if one.evaluation else "",
            one.slot.unfit or "",
        )
    return table


def _offers(state: SlotState) -> str:
    slot = state.slot
    gpu = f", {slot.gpus} × {slot.gpu_memory / 2**30:.0f} GiB GPU" if slot.gpus else ""
    return f"{counted(slot.cpus, 'core')}, {slot.memory / 2**30:.0f} GiB{gpu}" if slot.cpus else ""
