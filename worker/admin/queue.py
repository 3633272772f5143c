"""`proctor-admin queue` and `proctor-admin priority`: what waits, and what is to go first or last."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from contract.queue import LEAST_PRIORITY, MOST_PRIORITY, WaitingOut
from evaluator.terminal import say
from server.admin.find import evaluation_id
from server.evaluations.errors import headline
from server.queue.views import waiting_out
from server.queue.waiting import Which, prioritize, waiting
from worker.admin.api import Api, api
from worker.admin.context import ACTOR, fail, make_sure, settings_of, work
from worker.admin.options import Data, Server
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
    server: Server = None,
    data: Data = None,
) -> None:
    """Every evaluation that has cases to run, what an admin put first before all others; of another server 1,000."""
    which = Which(challenge, phase, track, task, team)
    if server is not None:
        with api(server=server, data=None) as there:
            rows, trouble = _waiting_there(there, which), None
    else:
        with work(settings_of(data)) as session:
            rows = waiting_out(session, waiting(session, which))
            trouble = headline(session)
    if as_json:
        show_json([row.model_dump(mode="json") for row in rows])
        return
    show(queue_table(rows), otherwise="No evaluation waits.")
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
    server: Server = None,
    data: Data = None,
) -> None:
    """Put waiting evaluations before or behind all others, named or by what they are of; it asks before more than one.

    For example: priority 10 --team "Blue Lab", or priority --phase validation -- -10.

    Cases that run go on. Among evaluations of one priority the queue stays fair.
    """
    if not evaluations and Which(challenge, phase, track, task, team) == Which():
        fail("Say which evaluations: name them, or give --challenge, --phase, --track, --task or --team.")
    if server is not None:
        which = Which(challenge, phase, track, task, team)
        _prioritize_there(server, which, evaluations or (), priority, yes=yes)
        return
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
    _make_sure(len(ids), priority, yes=yes)
    with work(settings) as session:
        changed = prioritize(session, sorted(ids), priority, actor=ACTOR)
    _say_changed(changed, len(ids), priority)


def _prioritize_there(
    server: str, which: Which, prefixes: Sequence[str], priority: int, *, yes: bool
) -> None:
    """The same on another server, one after the other."""
    with api(server=server, data=None) as there:
        rows = _waiting_there(there, which)
        for prefix in prefixes:
            if sum(row.id.startswith(prefix.lower()) for row in rows) != 1:
                fail(
                    f"{prefix} is not the beginning of one evaluation that has cases to run and is of what the options "
                    "say. Nothing was changed; 'proctor-admin queue' shows those that have."
                )
        meant = [row for row in rows if not prefixes or row.id.startswith(tuple(map(str.lower, prefixes)))]
        if not meant:
            fail("No evaluation that is meant has cases to run; 'proctor-admin queue' shows those that have.")
        _make_sure(len(meant), priority, yes=yes)
        changed = [row for row in meant if row.priority != priority]
        for row in changed:
            there.put(f"/admin/evaluations/{row.id}/priority", {"priority": priority})
    _say_changed(len(changed), len(meant), priority)


def _waiting_there(there: Api, which: Which) -> list[WaitingOut]:
    wanted = {"challenge": which.challenge, "phase": which.phase, "track": which.track, "task": which.task}
    return [WaitingOut.model_validate(row) for row in there.get("/admin/queue", team=which.team, **wanted)]


def _make_sure(count: int, priority: int, *, yes: bool) -> None:
    if count > 1:
        make_sure(f"{count} evaluations get priority {priority}.", yes=yes)


def _say_changed(changed: int, of: int, priority: int) -> None:
    say(f"{changed} of {counted(of, 'evaluation')} changed to priority {priority}")


def queue_table(rows: Sequence[WaitingOut]) -> Listing:
    """One row per evaluation."""
    heads = ("evaluation", "priority", "team", "of", "status", "cases left", "since (UTC)")
    table = Listing(heads, frozenset(("priority", "cases left")))
    for row in rows:
        table.add(
            row.id,
            str(row.priority),
            row.team,
            f"{row.challenge} {row.phase} {row.track} {row.task}",
            row.status,
            f"{row.cases_left:,}",
            moment(row.created_at),
        )
    return table
