"""`proctor-admin workers` and `revoke-worker`: what each run worker's token has done and read, and shutting one out."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from contract.admin import AnsweredOut, TotalOut, WorkerReads, WorkerRow
from evaluator.terminal import Console, in_line, say
from server.admin import workers
from server.clock import now
from worker.admin.context import ACTOR, fail, make_sure, settings_of, work
from worker.admin.options import Data
from worker.admin.submissions import moment_given
from worker.admin.tables import Listing, console, counted, moment, show, show_json

app = typer.Typer()

Since = Annotated[
    str | None,
    typer.Option(help="Only what it answered since then: 2d, 6h, 30m, or a date such as 2026-12-01."),
]
_NAME = "The name that its token was made with, or the token's id."


@app.command("workers")
def show_workers(
    name: Annotated[str | None, typer.Argument(help=_NAME)] = None,
    cases: Annotated[bool, typer.Option("--cases", help="Of NAME, every case and image by its id.")] = False,
    since: Since = None,
    retired: Annotated[bool, typer.Option("--retired", help="Those that were put away too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    data: Data = None,
) -> None:
    """Every run worker's token: its slots, what became of its cases, what it has read; of NAME all of it.

    'ended' counts the cases that it finished and, after a slash, those that it was leased and gave back.
    """
    if name is None and (cases or since is not None):
        fail("--cases and --since are about one worker: give its name.")
    with work(settings_of(data)) as session:
        rows = workers.workers(session, retired=retired or name is not None)
        if name is not None:
            token = workers.worker_named(session, name).id
            (row,) = (row for row in rows if row.id == str(token))
            read = workers.reads_of(session, token)
            begin = None if since is None else moment_given(since, now(session))
            answered = workers.answered_by(session, token, since=begin)
    if name is None:
        if as_json:
            show_json([row.model_dump(mode="json") for row in rows])
        else:
            show(
                _listed(rows),
                otherwise="No run worker has a valid token; 'proctor-admin worker-token NAME' makes one.",
            )
    elif as_json:
        show_json(
            {
                "worker": row.model_dump(mode="json"),
                **read.model_dump(mode="json"),
                "answered": [answer.model_dump(mode="json") for answer in answered],
            }
        )
    else:
        _print(console(), row, read, answered, cases=cases)


def _listed(rows: list[WorkerRow]) -> Listing:
    heads = (
        "worker",
        "state",
        "slots",
        "seen (UTC)",
        "runs",
        "ended",
        "cases read",
        "images read",
        "warning",
    )
    table = Listing(
        heads, numbers=frozenset(("runs", "cases read", "images read")), prose=frozenset(("warning",))
    )
    for row in rows:
        table.add(
            row.name,
            _state(row),
            f"{row.slots_present} of {row.most_slots}",
            moment(row.seen_at, seconds=True),
            str(row.running) if row.running else "",
            _ended(row),
            f"{row.cases_read.count:,}",
            f"{row.images_read.count:,}",
            "; ".join(row.warnings),
        )
    return table


def _state(row: WorkerRow) -> str:
    if row.retired_at is not None:
        return "retired"
    if row.revoked_at is not None:
        return "token revoked"
    return "active" if row.draining_since is None else "draining" if row.running else "drained"


def _ended(row: WorkerRow) -> str:
    back = row.handed_back + row.abandoned + row.faulted
    return f"{row.finished}/{back}" if row.finished or back else ""


def _print(
    out: Console, row: WorkerRow, read: WorkerReads, answered: list[AnsweredOut], *, cases: bool
) -> None:
    about = Listing(("", " "), prose=frozenset((" ",)))
    for head, said in _facts(row):
        if said:
            about.add(head, said)
    out.print(about)
    for table in (_read_table(read), _ids_table(read) if cases else None, answered_table(answered)):
        if table is not None and table.rows:
            out.print()
            out.print(table)


def _facts(row: WorkerRow) -> list[tuple[str, str]]:
    ended = f"{row.finished} finished, {row.handed_back} handed back, {row.abandoned} abandoned, {row.faulted} faulted"
    drains = f"gets no new case since {moment(row.draining_since)} UTC" if row.draining_since else ""
    rotated = f"works until {moment(row.old_token_until)} UTC" if row.old_token_until else ""
    revoked = f"revoked {moment(row.revoked_at)} UTC" if row.revoked_at else "active"
    return [
        ("worker", row.name),
        ("id", row.id),
        ("token", f"{revoked}, issued {moment(row.issued_at)} UTC"),
        ("drains", drains),
        ("token before", rotated),
        ("slots", f"{row.slots_present} of {row.most_slots}, seen {moment(row.seen_at) or 'never'}"),
        ("cases", f"{row.running} held, {ended}"),
        ("inputs read", _total(row.cases_read, "case")),
        ("layers read", _total(row.images_read, "image")),
        ("warning", "; ".join(row.warnings)),
    ]


def _total(read: TotalOut, what: str) -> str:
    if not read.count:
        return "none"
    when = f"from {moment(read.first_at)} to {moment(read.last_at)} UTC"
    return f"{counted(read.count, what)}, {read.bytes / 1e6:,.1f} MB in {counted(read.files, 'file')}, {when}"


def _read_table(read: WorkerReads) -> Listing:
    table = Listing(
        ("inputs read of", "cases", "MB", "first (UTC)", "last (UTC)"), numbers=frozenset(("cases", "MB"))
    )
    for task in read.tasks:
        size = f"{task.bytes / 1e6:,.1f}"
        place = f"{task.challenge} {task.phase} {task.task}"
        table.add(place, f"{task.count:,}", size, moment(task.first_at), moment(task.last_at))
    return table


def _ids_table(read: WorkerReads) -> Listing:
    table = Listing(("read", "id", "files", "first (UTC)", "last (UTC)"), numbers=frozenset(("files",)))
    for item in read.read:
        table.add(item.subject, item.id, str(item.files), moment(item.first_at), moment(item.last_at))
    return table


def answered_table(answered: Sequence[AnsweredOut | dict[str, Any]]) -> Listing:
    """One row per evaluation in which a run worker answered cases."""
    table = Listing(("answered in", "team", "of", "status", "boards", "cases", "last (UTC)"))
    for answer in map(AnsweredOut.model_validate, answered):
        of = f"{answer.challenge} {answer.phase} {answer.track} {answer.task}"
        table.add(
            answer.evaluation,
            answer.team,
            of,
            answer.status,
            ", ".join(answer.boards),
            f"{answer.cases} of {answer.cases_of}",
            moment(answer.last_at),
        )
    return table


@app.command("revoke-worker")
def revoke_worker(
    name: Annotated[str, typer.Argument(help=_NAME)],
    since: Since = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As DELETE /admin/workers/{id} answers.")] = False,
    data: Data = None,
) -> None:
    """Shut the run worker NAME out: its token ends, its cases go back into the queue at once.

    It names the evaluations in which it answered cases: where its host cannot be trusted they are to run again.
    """
    settings = settings_of(data)
    with work(settings) as session:
        token = workers.worker_named(session, name)
        begin = None if since is None else moment_given(since, now(session))
    make_sure(
        f"The token of {in_line(token.name)} ends now, and what it runs goes back into the queue.", yes=yes
    )
    with work(settings) as session:
        done = workers.revoke(session, token.id, actor=ACTOR, settings=settings, since=begin)
    if as_json:
        show_json(done)
        return
    back = f"{counted(done.put_back, 'case')} put back into the queue"
    say(f"{in_line(token.name)}: token revoked, {back}")
    if done.answered:
        say(
            f"It answered cases of {counted(len(done.answered), 'evaluation')}; where it is not to be trusted:"
        )
        show(answered_table(done.answered))
