"""`proctor-admin forecast`: when the queue will be empty, and what would change it."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from evaluator.terminal import say_json
from server.queue.forecast import Forecast, PhaseForecast, forecast
from worker.admin.context import settings_of, work
from worker.admin.tables import Listing, console, moment

app = typer.Typer()


@app.command("forecast")
def show_forecast(
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """When each phase's queue will be empty, from measured seconds and the slots present, and what would change it."""
    with work(settings_of(data)) as session:
        found = forecast(session)
    if as_json:
        say_json(found)
        return
    out = console()
    if found.note is not None:
        out.print(found.note)
    if not found.tasks:
        return
    tables = (_phases(found), _tasks(found), _changes(found)) if found.slots else (_tasks(found),)
    for number, table in enumerate(tables):
        if number:
            out.print()
        out.print(table)


def _phases(found: Forecast) -> Listing:
    heads = ("phase", "cases left", "slot time left", "empty at (UTC)", "closes", "")
    title = f"{moment(found.at)} UTC, slots present: {found.slots}"
    table = Listing(heads, frozenset(("cases left", "slot time left")), title=title)
    for one in found.phases:
        row = (f"{one.cases:,}", _span(one.slot_seconds), _empty(one), moment(one.closes), _judged(one))
        table.add(f"{one.challenge} {one.phase}", *row)
    return table


def _empty(phase: PhaseForecast) -> str:
    return "never: no worker offers what it needs" if phase.ends is None else moment(phase.ends)


def _judged(phase: PhaseForecast) -> str:
    if phase.in_time is None:
        return ""
    return "in time" if phase.in_time else "after the phase closes"


def _tasks(found: Forecast) -> Listing:
    heads = ("task", "evaluations", "cases left", "s per case", "known from", "slot time left", "")
    table = Listing(heads, frozenset(("evaluations", "cases left", "s per case", "slot time left")))
    for one in found.tasks:
        table.add(
            f"{one.challenge} {one.phase} {one.task}",
            str(one.evaluations),
            f"{one.cases:,}",
            f"{one.seconds_per_case:.1f}",
            "measured" if one.measured else "limit: nothing measured",
            _span(one.slot_seconds),
            "" if one.nobody_offers is None else f"no worker offers {one.nobody_offers}",
        )
    return table


def _changes(found: Forecast) -> Listing:
    table = Listing(("what would change the end", ""))
    for one in found.changes:
        table.add(one.what, _sooner(one.seconds))
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
