"""`proctor-admin forecast` and `proctor-admin slots`: when the queue will be empty, and who works on it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from server.evaluations.forecast import Forecast, PhaseForecast, forecast
from server.evaluations.slots import SlotState, slot_states
from worker.admin.context import settings_of, whole, wide_console, work

app = typer.Typer()
Data = Annotated[Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")]


@app.command("forecast")
def show_forecast(
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
    data: Data = None,
) -> None:
    """When each phase's queue will be empty, from measured seconds and the slots present, and what would change it."""
    with work(settings_of(data)) as session:
        found = forecast(session)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    console = wide_console()
    if found.note is not None:
        console.print(found.note)
    if not found.tasks:
        return
    tables = (_phases(found), _tasks(found), _changes(found)) if found.slots else (_tasks(found),)
    for table in tables:
        console.print(table)
        console.print()


@app.command("slots")
def show_slots(data: Data = None) -> None:
    """Every slot of run workers: what it offers, when it was seen, what it runs, and why it takes no work."""
    with work(settings_of(data)) as session:
        table = slots_table(slot_states(session))
    wide_console().print(table)


def slots_table(states: list[SlotState]) -> Table:
    """One row per slot."""
    headers = ("slot", "", "seen (UTC)", "cores", "memory", "GPU", "runs")
    table = Table(*headers, whole("evaluation"), "unfit because", box=None, pad_edge=False)
    for one in states:
        slot = one.slot
        state = "unfit" if slot.unfit else "present" if one.present else "gone"
        colour = {"unfit": "red", "present": "green", "gone": "yellow"}[state]
        gpu = f"{slot.gpus} × {slot.gpu_memory / 2**30:.0f} GiB" if slot.gpus else ""
        runs = f"{one.running} of {one.evaluation.task}" if one.evaluation else ""
        table.add_row(
            slot.name,
            f"[{colour}]{state}[/]",
            f"{slot.seen_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            f"{slot.cpus:g}",
            f"{slot.memory / 2**30:.0f} GiB",
            gpu,
            runs,
            str(one.evaluation.id) if one.evaluation else "",
            escape(slot.unfit or ""),
        )
    return table


def _phases(found: Forecast) -> Table:
    table = Table(
        "phase", "cases left", "slot time left", "empty at (UTC)", "closes", "", box=None, pad_edge=False
    )
    table.title, table.title_justify = f"{_moment(found.at)} UTC, slots present: {found.slots}", "left"
    for one in found.phases:
        closes = "" if one.closes is None else _moment(one.closes)
        row = (f"{one.cases:,}", _span(one.slot_seconds), _empty(one), closes, _judged(one))
        table.add_row(f"{one.challenge} {one.phase}", *row)
    return table


def _empty(phase: PhaseForecast) -> str:
    return "never: no worker offers what it needs" if phase.ends is None else _moment(phase.ends)


def _judged(phase: PhaseForecast) -> str:
    if phase.in_time is None:
        return ""
    return "[green]in time[/]" if phase.in_time else "[red]after the phase closes[/]"


def _tasks(found: Forecast) -> Table:
    table = Table(
        "task", "evaluations", "cases left", "s per case", "", "slot time left", "", box=None, pad_edge=False
    )
    for one in found.tasks:
        table.add_row(
            f"{one.challenge} {one.phase} {one.task}",
            str(one.evaluations),
            f"{one.cases:,}",
            f"{one.seconds_per_case:.1f}",
            "measured" if one.measured else "limit: nothing measured",
            _span(one.slot_seconds),
            "" if one.nobody_offers is None else f"[red]no worker offers {one.nobody_offers}[/]",
        )
    return table


def _changes(found: Forecast) -> Table:
    table = Table("what would change the end", "", box=None, pad_edge=False)
    for one in found.changes:
        table.add_row(one.what, _sooner(one.seconds))
    return table


def _sooner(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    if abs(seconds) < 1:
        return "no difference"
    return f"{_span(abs(seconds))} {'sooner' if seconds < 0 else 'later'}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _span(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return str(timedelta(seconds=int(seconds))) if hours < 100 else f"{hours:,} h {rest // 60} min"
