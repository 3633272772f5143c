"""`proctor-admin drain-worker`, `resume-worker`, `retire-worker`, `rotate-worker`, `suspect`: acts on run workers."""

import time
from typing import Annotated, Any

import typer

from contract.admin import WorkerRow
from contract.hosts import SuspectedOut
from contract.reevaluations import ReevaluationMode
from evaluator.terminal import in_line, say
from server.accounts.tokens import LOCAL
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import AsJson, Data, Server, Yes
from worker.admin.submissions import since_given
from worker.admin.tables import counted, show, show_json
from worker.admin.workers import answered_table

app = typer.Typer()
Name = Annotated[str, typer.Argument(help="The name that its token was made with, or the token's id.")]
Slot = Annotated[str | None, typer.Option(help="Only this slot of it.")]
Why = Annotated[str | None, typer.Option(help="Why, for the event log.", metavar="REASON")]
Wait = Annotated[bool, typer.Option("--wait", help="Return once it holds no case.")]
_EVERY = 2.0


@app.command("drain-worker")
def drain_worker(
    name: Name,
    slot: Slot = None,
    why: Why = None,
    wait: Wait = False,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Give the run worker NAME no new case: it finishes what it holds. That lasts, also over its restarts."""
    with api(server=server, data=data) as here:
        row = _worker(here, name)
        which = in_line(row.name if slot is None else f"slot {slot} of {row.name}")
        held = f"; {row.name} finishes the {row.running} that it holds" if row.running else ""
        make_sure(f"{which} gets no new case{held}.", yes=yes)
        row = _act(here, row, "drain", {"slot": slot, "why": why})
        if wait:
            _until_empty(here, row, slot)
            row = _worker(here, row.id)
    if as_json:
        show_json(row)
    else:
        say(f"{which} drains; 'proctor-admin resume-worker {row.name}' has it work again.")


@app.command("resume-worker")
def resume_worker(
    name: Name,
    slot: Slot = None,
    why: Why = None,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Give the run worker NAME cases again."""
    with api(server=server, data=data) as here:
        row = _act(here, _worker(here, name), "resume", {"slot": slot, "why": why})
    if as_json:
        show_json(row)
    elif row.draining_since is not None:
        say(f"All of {row.name} drains, so slot {slot} does too. Resume it without --slot.")
    else:
        say(f"{in_line(row.name)} gets cases again.")


@app.command("retire-worker")
def retire_worker(
    name: Name,
    why: Why = None,
    wait: Wait = False,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Put the run worker NAME away: its token ends, lists leave it out, what it did stays. It may hold no case.

    With --wait it drains first.
    """
    with api(server=server, data=data) as here:
        row = _worker(here, name)
        first = (
            f" once it has finished the {counted(row.running, 'case')} that it holds"
            if wait and row.running
            else ""
        )
        own = " The workers that 'up' started have it: 'worker-token local' lets them in again."
        told = (
            f"The token of {row.name} ends{first}, and lists leave it out.{own if row.name == LOCAL else ''}"
        )
        make_sure(told, yes=yes)
        if wait and row.revoked_at is None:
            _act(here, row, "drain", {"why": why})
            _until_empty(here, row, None)
        row = _act(here, row, "retire", {"why": why})
    if as_json:
        show_json(row)
    else:
        say(f"{in_line(row.name)} is put away; 'proctor-admin workers --retired' still shows it.")


@app.command("rotate-worker")
def rotate_worker(
    name: Name,
    minutes: Annotated[
        int, typer.Option(min=0, max=10080, help="For how long the old token works beside the new one.")
    ] = 60,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Print a new token for the run worker NAME; the old one works for an hour more, and nothing that runs is lost.

    Put the new one into PROCTOR_WORKER_TOKEN_FILE, which workers read again by themselves, or restart them with it.
    """
    with api(server=server, data=data) as here:
        row = _worker(here, name)
        make_sure(f"The present token of {row.name} ends in {counted(minutes, 'minute')}.", yes=yes)
        made = here.post(f"/admin/workers/{row.id}/rotate", {"minutes": minutes})
    if as_json:
        show_json(made)
        return
    say(made["token"])
    say(f"The one before ends in {counted(minutes, 'minute')}; then workers that show it leave.", err=True)


@app.command("suspect")
def suspect(
    name: Name,
    why: Annotated[str, typer.Option(help="Why; it is kept.", metavar="REASON")],
    since: Annotated[
        str | None,
        typer.Option(help="Only what it answered since then: 2d, 6h, or a date such as 2026-12-01."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only what it answered before then.")] = None,
    mode: Annotated[
        ReevaluationMode, typer.Option(help="How what it answered is to be made anew.")
    ] = ReevaluationMode.RERUN,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """The run worker NAME gave wrong answers: it drains, and what it answered is drafted to be made anew.

    It shows the evaluations, teams and boards that are concerned, and asks. No draft is started, and no board moves.
    """
    begin, end = since_given(since), since_given(until)
    with api(server=server, data=data) as here:
        row = _worker(here, name)
        if not as_json:
            show(
                answered_table(here.get(f"/admin/workers/{row.id}/answered", since=begin, until=end)),
                otherwise=f"{in_line(row.name)} has answered nothing in that span.",
            )
        make_sure(f"{row.name} drains, and re-evaluations of what it answered are drafted.", yes=yes)
        wanted = {"since": begin, "until": end, "mode": mode, "why": why}
        found = here.post(f"/admin/workers/{row.id}/suspect", wanted)
    if as_json:
        show_json(found)
        return
    _say_suspected(SuspectedOut.model_validate(found))


def _say_suspected(found: SuspectedOut) -> None:
    state = "drains" if found.worker.revoked_at is None else "has no valid token any more"
    say(f"{in_line(found.worker.name)} {state}.")
    for draft in found.drafts:
        told = "" if draft.plan is None else draft.plan.sentence
        say(f"Drafted for {draft.challenge}: {draft.id}. {told}")
        say(f"  'proctor-admin start-reevaluation {draft.id}' starts it.")
    for other in found.others:
        say(f"Nothing was drafted for {other}")


def _worker(here: Api, name: str) -> WorkerRow:
    """The worker of this name that was not revoked, else the newest; or of this id."""
    rows = [WorkerRow.model_validate(row) for row in here.get("/admin/workers", retired=True)]
    named = [row for row in rows if name in (row.name, row.id)]
    if not named:
        fail(f"There is no run worker {name!r}; 'proctor-admin workers' lists them.")
    return next((row for row in named if row.revoked_at is None), named[-1])


def _act(here: Api, row: WorkerRow, act: str, body: dict[str, Any]) -> WorkerRow:
    return WorkerRow.model_validate(here.post(f"/admin/workers/{row.id}/{act}", body))


def _until_empty(here: Api, row: WorkerRow, slot: str | None) -> None:
    """Returns when the worker, or the slot of it, holds no case; each change is told on the way."""
    told = -1
    while held := _held(here, row, slot):
        if held != told:
            say(f"{counted(held, 'case')} left", err=True)
            told = held
        time.sleep(_EVERY)


def _held(here: Api, row: WorkerRow, slot: str | None) -> int:
    if slot is None:
        return _worker(here, row.id).running
    slots = here.get("/admin/slots")
    return sum(found["running"] for found in slots if (found["worker"], found["name"]) == (row.name, slot))
