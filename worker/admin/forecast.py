"""`proctor-admin forecast`: when the queue will be empty, and what would change it."""

from datetime import timedelta
from typing import Annotated

import typer

from contract.queue import Forecast, PhaseForecast
from evaluator.terminal import say_json
from server.queue.forecast import forecast
from worker.admin.context import settings_of, work
from worker.admin.options import Data
from worker.admin.tables import Listing, console, moment

app = typer.Typer()


@app.command("forecast")
def show_forecast(
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
    data: Data = None,
) -> None:
    """When each phase's queue will be empty, from measured seconds and the slots present, and what would change it."""
    with work(settings_of(data)) as session:
        outlook = forecast(session)
    if as_json:
        say_json(outlook)
        return
    out = console()
    if outlook.note is not None:
        out.print(outlook.note)
    if not outlook.tasks:
        return
    tables = (_phases(outlook), _tasks(outlook), _changes(outlook)) if outlook.slots else (_tasks(outlook),)
    for number, table in enumerate(tables):
        if number:
            out.print()
        out.print(table)


def _phases(outlook: Forecast) -> Listing:
    heads = ("phase", "cases left", "slot time left", "empty at (UTC)", "closes", "")
    title = f"{moment(outlook.at)} UTC, slots present: {outlook.slots}"
    table = Listing(heads, frozenset(("cases left", "slot time left")), title=title)
    for phase in outlook.phases:
        row = (
            f"{phase.cases:,}",
            _span(phase.slot_seconds),
            _empty(phase),
            moment(phase.closes),
            _judged(phase),
        )
        table.add(f"{phase.challenge} {phase.phase}", *row)
    return table


def _empty(phase: PhaseForecast) -> str:
    return "never: no worker offers what it needs" if phase.ends is None else moment(phase.ends)


def _judged(phase: PhaseForecast) -> str:
    if phase.in_time is None:
        return ""
    return "in time" if phase.in_time else "after the phase closes"


def _tasks(outlook: Forecast) -> Listing:
    heads = ("task", "evaluations", "cases left", "s per case", "known from", "slot time left", "")
    table = Listing(heads, frozenset(("evaluations", "cases left", "s per case", "slot time left")))
    for task in outlook.tasks:
        table.add(
            f"{task.challenge} {task.phase} {task.task}",
            str(task.evaluations),
            f"{task.cases:,}",
            f"{task.seconds_per_case:.1f}",
            "measured" if task.measured else "limit: nothing measured",
            _span(task.slot_seconds),
            "" if task.nobody_offers is None else f"no worker offers {task.nobody_offers}",
        )
    return table


def _changes(outlook: Forecast) -> Listing:
    table = Listing(("what would change the end", ""))
    for change in outlook.changes:
        table.add(change.what, _sooner(change.seconds))
    return table


def _sooner(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    if abs(seconds) < 1:
        return "no difference"
    return f"{_span(abs(seconds))} {'sooner' if seconds < 0 else 'later'}"


def _span(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return str(timedelta(seconds=int(seconds))) if hours < 100 else f"{hours:,} h {rest // 60} min"
