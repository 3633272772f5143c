"""`proctor-admin queue` and `proctor-admin priority`: what waits, and what is to go first or last."""

from typing import Annotated

import typer
from rich.text import Text

from contract.queue import LEAST_PRIORITY, MOST_PRIORITY
from evaluator.terminal import say
from server.admin.find import evaluation_id
from server.evaluations.errors import headline
from server.queue.views import waiting_out
from server.queue.waiting import Waiting, Which, prioritize, waiting
from worker.admin.context import ACTOR, fail, make_sure, settings_of, work
from worker.admin.options import Data
from worker.admin.tables import Listing, console, counted, moment, show, show_json

app = typer.Typer()
Challenge = Annotated[str | None, typer.Option(help="Only of this challenge.")]
Phase = Annotated[str | None, typer.Option(help="Only of this phase.")]
Track = Annotated[str | None, typer.Option(help="Only of this track.")]
Task = Annotated[str | None, typer.Option(help="Only of this task.")]
Team = Annotated[str | None, typer.Option(help="Only of the team of this name; capitals do not matter.")]


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
        states = waiting(session, Which(challenge, phase, track, task, team))
        rows = [waiting_out(state).model_dump(mode="json") for state in states]
        table = queue_table(states)
        trouble = headline(session)
    if as_json:
        show_json(rows)
        return
    show(table, otherwise="No evaluation waits.")
    if trouble is not None:
        console().print(Text(trouble, style="yellow"))


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
        list[str] | None,
        typer.Argument(help="Evaluations, as 'proctor-admin queue' names them; the beginning is enough."),
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
    if not evaluations and Which(challenge, phase, track, task, team) == Which():
        fail("Say which evaluations: name them, or give --challenge, --phase, --track, --task or --team.")
    settings = settings_of(data)
    with work(settings) as session:
        named = [evaluation_id(session, prefix) for prefix in evaluations or ()]
        which = Which(challenge, phase, track, task, team, named)
        ids = {state.evaluation.id for state in waiting(session, which)}
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
    say(f"{changed} of {counted(len(ids), 'evaluation')} changed to priority {priority}")


def queue_table(states: list[Waiting]) -> Listing:
    """One row per evaluation."""
    heads = ("evaluation", "priority", "team", "of", "status", "cases left", "since (UTC)")
    table = Listing(heads, frozenset(("priority", "cases left")))
    for state in states:
        evaluation = state.evaluation
        table.add(
            str(evaluation.id),
            str(evaluation.priority),
            state.team,
            f"{state.challenge} {evaluation.phase} {evaluation.track} {evaluation.task}",
            evaluation.status,
            f"{evaluation.remaining:,}",
            moment(evaluation.created_at),
        )
    return table
