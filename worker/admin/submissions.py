"""`proctor-admin submissions` and `show`: what was submitted, and what became of one."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer
from rich.text import Text

from contract.admin import EvaluationRow, EvaluationShown
from contract.intervals import named
from contract.statuses import EvaluationStanding, EvaluationStatus
from evaluator.terminal import Console, say
from server.admin.evaluations import log_of, shown
from server.admin.find import evaluation_or_submission
from server.admin.pages import MOST
from worker.admin.api import Api, api
from worker.admin.context import ACTOR, fail, settings_of, work
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, console, moment, show, show_json

app = typer.Typer()
_HEXADECIMAL = re.compile(r"[\s0-9a-fA-F-]*")
_SPAN = re.compile(r"(\d+)([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_One = TypeVar("_One")


@app.command("submissions")
def list_submissions(
    id_: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Only those whose id, or submission's id, begins so.")
    ] = None,
    challenge: Annotated[str | None, typer.Option(help="Only of this challenge.")] = None,
    phase: Annotated[str | None, typer.Option(help="Only of this phase.")] = None,
    track: Annotated[str | None, typer.Option(help="Only of this track.")] = None,
    task: Annotated[str | None, typer.Option(help="Only of this task.")] = None,
    team: Annotated[str | None, typer.Option(help="Only of this team; capitals do not matter.")] = None,
    status: Annotated[EvaluationStatus | None, typer.Option(help="Only those that stand so.")] = None,
    standing: Annotated[
        EvaluationStanding | None,
        typer.Option(help="Only those that count, or that a re-evaluation made or replaced."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only those since then: 2d, 6h, 30m, or a date such as 2026-12-01.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/evaluations answers.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """What was submitted, a row per task, newest first."""
    if id_ is not None and challenge is None and not _HEXADECIMAL.fullmatch(id_):
        fail(f"{id_!r} is no id. All of a challenge: 'proctor-admin submissions --challenge {id_}'.")
    which = {"challenge": challenge, "phase": phase, "track": track, "task": task, "team": team}
    wanted = which | {"status": status, "since": since_given(since), "id": id_, "standing": standing}
    with api(server=server, data=data) as here:
        page = here.listed("/admin/evaluations", EvaluationRow, limit, **wanted)
    if as_json:
        show_json([row.model_dump(mode="json") for row in page.items])
        return
    show(evaluations_table(page.items), otherwise="Nothing was submitted that this asks for.")
    if page.next is not None:
        say(f"The newest {limit} are shown; --limit shows more.", err=True)


def since_given(text: str | None) -> str | None:
    """The moment that `--since` means, as the API reads it."""
    return None if text is None else moment_given(text, datetime.now(UTC)).isoformat()


def moment_given(text: str, at: datetime) -> datetime:
    """The moment that is meant: so long before `at`, or a date in UTC."""
    if span := _SPAN.fullmatch(text):
        return at - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        fail(
            f"--since {text!r} is no time: give 2d, 6h, 30m, or a date such as 2026-12-01 or 2026-12-01T18:00."
        )
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def evaluations_table(rows: Sequence[EvaluationRow]) -> Listing:
    """One row per evaluation."""
    heads = ("evaluation", "team", "of", "status", "since (UTC)")
    table = Listing(heads)
    for row in rows:
        of = f"{row.challenge} {row.phase} {row.track} {row.task}"
        table.add(row.id, row.team, of, _status(row), moment(row.created_at))
    return table


def _status(row: EvaluationRow) -> str:
    beside = "" if row.standing == EvaluationStanding.IN_FORCE else f" ({row.standing})"
    return f"{row.status} {row.reason_code}{beside}" if row.reason_code else f"{row.status}{beside}"


@app.command("show")
def show_one(
    id_: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="An evaluation or a submission; the beginning of its id is enough."
        ),
    ],
    log: Annotated[
        str | None, typer.Option(metavar="CASE", help="Only what the container of this case wrote.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """What became of one evaluation: cases, verdicts, workers, scores. Of a submission: its evaluations.

    It names cases (on the server's own host) and shows what containers wrote; neither is for participants of a hidden
    phase.
    """
    if server is not None:
        with api(server=server, data=None) as there:
            found = _found(there, id_)
            if log is not None:
                say(_log_of(there, _only(found), log))
                return
            _show(found, as_json=as_json)
        return
    with work(settings_of(data)) as session:
        ids = evaluation_or_submission(session, id_)
        written = "" if log is None else log_of(session, _only(ids), log, reader=ACTOR)
        rows = [] if log is not None else [shown(session, one, names_to=ACTOR) for one in ids]
    if log is not None:
        say(written)
    else:
        _show(rows, as_json=as_json)


def _found(there: Api, id_: str) -> list[EvaluationShown]:
    """The evaluation of another server whose id begins so, or all evaluations of the submission whose id does."""
    rows = there.listed("/admin/evaluations", EvaluationRow, MOST, id=id_).items
    digits = id_.strip().replace("-", "").lower()
    own = [row for row in rows if row.id.replace("-", "").startswith(digits)]
    named = own if len(own) == 1 else rows
    if not named:
        fail(f"Nothing that you may see begins with {id_}; 'proctor-admin submissions' lists what there is.")
    if len({row.submission for row in named}) > 1:
        fail(f"Several begin with {id_}. Give more of it; 'proctor-admin submissions {id_}' lists them.")
    found = [there.get(f"/admin/evaluations/{row.id}") for row in reversed(named)]
    return [EvaluationShown.model_validate(answer) for answer in found]


def _log_of(there: Api, row: EvaluationShown, case: str) -> str:
    """What the container of a case of another server wrote; the case goes by its pseudonym."""
    path, after = f"/admin/evaluations/{row.id}/cases", None
    while page := there.get(path, after=after, limit=MOST):
        ids = [found["id"] for found in page if found["case"] == case]
        if ids:
            return str(there.get(f"{path}/{ids[0]}")["log"] or "")
        after = page[-1]["id"]
    return fail(f"This evaluation has no case {case!r}; 'proctor-admin show {row.id}' lists them.")


def _show(rows: Sequence[EvaluationShown], *, as_json: bool) -> None:
    if as_json:
        content = [row.model_dump(mode="json") for row in rows]
        show_json(content if len(content) > 1 else content[0])
    elif len(rows) > 1:
        show(evaluations_table(rows))
    else:
        _print(console(), rows[0])


def _only(found: Sequence[_One]) -> _One:
    if len(found) > 1:
        fail(
            "This is a submission of several evaluations; 'proctor-admin show' lists them. Name one of them."
        )
    return found[0]


def _print(out: Console, row: EvaluationShown) -> None:
    out.print(
        Text(f"{row.team} · {row.challenge} {row.phase} {row.track} {row.task} · {_status(row)}", "bold")
    )
    about = Listing(("", " "), prose=frozenset((" ",)))
    for head, said in _facts(row):
        if said:
            about.add(head, said)
    out.print(about)
    for table in (_scores(row), _cases(row)):
        if table.rows:
            out.print()
            out.print(table)
    if any(case.has_log for case in row.cases):
        out.print(f"What a container wrote: proctor-admin show {row.id} --log CASE", soft_wrap=True)


def _facts(row: EvaluationShown) -> list[tuple[str, str]]:
    ran = f"{moment(row.started_at)} to {moment(row.finished_at) or 'now'}" if row.started_at else ""
    return [
        ("evaluation", row.id),
        ("submission", row.submission),
        (
            "submitted",
            f"{moment(row.created_at)} UTC" + (f" by {row.submitted_by}" if row.submitted_by else ""),
        ),
        ("ran", ran),
        ("the team reads", row.reason or ""),
        ("for admins", row.trouble or ""),
        ("verdicts", ", ".join(f"{count} × {name}" for name, count in sorted(row.verdicts.items()))),
        ("image", f"{row.image}, {row.image_bytes / 1e6:,.0f} MB"),
        ("dataset", row.dataset),
        ("challenge file", row.spec),
        ("evaluator", row.evaluator or ""),
    ]


def _scores(row: EvaluationShown) -> Listing:
    heads = ("board", "metric", "value", "interval", "made", "holds", "resamples", "note", "lacks")
    table = Listing(heads, frozenset(("value", "holds", "resamples")), prose=frozenset(("note", "lacks")))
    for score in row.scores:
        between = "" if score.low is None or score.high is None else f"{score.low:.4g} to {score.high:.4g}"
        value = f"{score.value:.6g}" if score.value is not None else f"none: {score.reason}"
        drawn = row.bootstraps.get(score.board)
        holds, resamples = (f"{drawn.level * 100:g} %", f"{drawn.resamples:,}") if drawn else ("", "")
        said = score.note or "", score.lacks or ""
        made = named(score.interval_method) if score.interval_method else ""
        table.add(score.board, score.metric, value, between, made, holds, resamples, *said)
    return table


def _cases(row: EvaluationShown) -> Listing:
    heads = ("case", "name", "verdict", "worker", "seconds", "MB", "faults", "message")
    table = Listing(heads, frozenset(("seconds", "MB", "faults")), prose=frozenset(("message",)))
    for case in row.cases:
        table.add(
            case.case,
            case.name or "",
            case.verdict or case.status,
            case.worker or "",
            "" if case.seconds is None else f"{case.seconds:.2f}",
            "" if case.peak_memory_bytes is None else f"{case.peak_memory_bytes / 1e6:,.1f}",
            str(case.faults) if case.faults else "",
            "" if case.verdict == "valid" else case.message or "",
        )
    return table
