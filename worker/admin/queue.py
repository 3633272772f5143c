"""`proctor-admin queue` and `proctor-admin priority`: what waits, and what is to go first or last."""

import json
from datetime import UTC
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table

from server.evaluations.errors import headline
from server.evaluations.schemas import WaitingOut
from server.evaluations.waiting import LEAST_PRIORITY, MOST_PRIORITY, Waiting, Which, prioritize, waiting
from worker.admin.context import ACTOR, fail, make_sure, settings_of, whole, wide_console, work

app = typer.Typer()
Data = Annotated[Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")]
Challenge = Annotated[str | None, typer.Option(help="Only of this challenge.")]
Phase = Annotated[str | None, typer.Option(help="Only of this phase.")]
Track = Annotated[str | None, typer.Option(help="Only of this track.")]
Task = Annotated[str | None, typer.Option(help="Only of this task.")]
Team = Annotated[str | None, typer.Option(help="Only of the team of this name.")]


@app.command("queue")
def show_queue(
    challenge: Challenge = None,
    phase: Phase = None,
    track: Track = None,
    task: Task = None,
    team: Team = None,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/queue answers.")] = False,
    data: Data = None,
) -> None:
    """Every evaluation that has cases to run, what an admin put first before all others."""
    with work(settings_of(data)) as session:
        found = waiting(session, Which(challenge, phase, track, task, team))
        rows = [WaitingOut.of(one).model_dump(mode="json") for one in found]
        table = queue_table(found)
        trouble = headline(session)
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    console = wide_console()
    console.print(table if found else "No evaluation waits.")
    if trouble is not None:
        console.print(trouble, style="yellow", markup=False)


@app.command("priority")
def set_priority(
    priority: Annotated[
        int,
        typer.Argument(
            min=LEAST_PRIORITY,
            max=MOST_PRIORITY,
            help="0 is usual; above it goes before all others, below it after them. One below 0 comes last, after --.",
        ),
    ],
    evaluations: Annotated[
        list[UUID] | None, typer.Argument(help="Evaluations, as 'proctor-admin queue' names them.")
    ] = None,
    challenge: Challenge = None,
    phase: Phase = None,
    track: Track = None,
    task: Task = None,
    team: Team = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Put waiting evaluations before or behind all others, named or by what they are of; it asks before more than one.

    For example: priority 10 --team "Blue Lab", or priority --phase validation -- -10.

    Cases that run go on. Among evaluations of one priority the queue stays fair.
    """
    which = Which(challenge, phase, track, task, team, evaluations or ())
    if which == Which():
        fail("Say which evaluations: name them, or give --challenge, --phase, --track, --task or --team.")
    settings = settings_of(data)
    with work(settings) as session:
        ids = {one.evaluation.id for one in waiting(session, which)}
    if left_out := sorted(set(which.ids) - ids):
        fail(
            f"{left_out[0]} is no evaluation that has cases to run and is of what the options say. "
            "Nothing was changed; 'proctor-admin queue' shows those that have."
        )
    if not ids:
        fail("No evaluation that is meant has cases to run; 'proctor-admin queue' shows those that have.")
    if len(ids) > 1:
        make_sure(f"{len(ids)} evaluations get priority {priority}.", yes=yes)
    with work(settings) as session:
        changed = prioritize(session, sorted(ids), priority, actor=ACTOR)
    typer.echo(f"{changed} of {len(ids)} evaluations changed to priority {priority}")


def queue_table(found: list[Waiting]) -> Table:
    """One row per evaluation."""
    headers = ("priority", "team", "of", "status", "cases left", "since (UTC)")
    table = Table(whole("evaluation"), *headers, box=None, pad_edge=False)
    for one in found:
        evaluation = one.evaluation
        table.add_row(
            str(evaluation.id),
            str(evaluation.priority),
            escape(one.team),
            f"{one.challenge} {evaluation.phase} {evaluation.track} {evaluation.task}",
            evaluation.status,
            f"{evaluation.remaining:,}",
            f"{evaluation.created_at.astimezone(UTC):%Y-%m-%d %H:%M}",
        )
    return table
