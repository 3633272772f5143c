"""`proctor-admin errors`, `retry` and `excuse`: what the platform failed at, and how an admin makes up for it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from contract.admin import EvaluationRow, EvaluationShown
from contract.evaluations import ErrorsOut, FailedOut
from contract.statuses import EvaluationStatus
from evaluator.terminal import Console, in_line, say, say_json
from server.admin.pages import MOST
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import Data, Server
from worker.admin.tables import console

app = typer.Typer()
Challenge = Annotated[str | None, typer.Option(help="Only of this challenge.")]
Since = Annotated[str | None, typer.Option(help="Only what ended within this time: 30m, 12h, 1d, 2w.")]
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36500)
_BEGINNING = re.compile("([0-9a-f]-*){4,32}")
_HINT = "'proctor-admin errors' shows those that can be retried, 'proctor-admin submissions' every one."


@app.command("errors")
def show_errors(
    since: Since = None,
    challenge: Challenge = None,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/errors answers.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Evaluations that ended by the platform's fault, and why; and those that wait for a fault to pass."""
    with api(server=server, data=data) as here:
        answer = _errors(here, challenge, since)
    if as_json:
        say_json(answer)
        return
    terminal = console()
    _show(terminal, "Errored; 'proctor-admin retry' runs them again:", answer.errored)
    _show(terminal, "Parked; tried again by themselves, after a pause that grows:", answer.parked)
    if not answer.errored and not answer.parked:
        terminal.print("No evaluation ended by the platform's fault, and none waits for a fault to pass.")


@app.command("retry")
def retry_errored(
    evaluations: Annotated[
        list[str] | None, typer.Argument(help="Evaluations, by their ids or the beginnings of these.")
    ] = None,
    all_errored: Annotated[bool, typer.Option("--all-errored", help="Every one that is errored.")] = False,
    challenge: Challenge = None,
    since: Since = None,
    why: Annotated[str | None, typer.Option(help="The reason, for the event log.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Run evaluations again that ended by the platform's fault; it asks before more than one.

    For example: retry 01a2234a, or retry --all-errored --since 1d --why "the engine of gpu-2 was broken".

    Cases that are done keep their outputs, the others run; if only the scoring failed, only that repeats. A team is
    never refused for it: where it has no attempt left by now, the evaluation spends none.
    """
    if bool(evaluations) == all_errored:
        fail("Say which evaluations: name them, or give --all-errored.")
    if evaluations and (challenge is not None or since is not None):
        fail("--challenge and --since go with --all-errored; evaluations that are named need neither.")
    with api(server=server, data=data) as here:
        if evaluations:
            ids = {_errored_like(here, prefix.strip().lower()) for prefix in evaluations}
        else:
            ids = {failed.id for failed in _errors(here, challenge, since).errored}
        if not ids:
            fail("No evaluation that is meant is errored; 'proctor-admin errors' shows those that are.")
        if len(ids) > 1:
            make_sure(f"{len(ids)} evaluations are run again.", yes=yes)
        for evaluation in sorted(ids):
            here.post(f"/admin/evaluations/{evaluation}/retry", {"why": why})
            cases = EvaluationShown.model_validate(here.get(f"/admin/evaluations/{evaluation}")).cases
            say(_said(evaluation, sum(case.verdict is None for case in cases)))


@app.command("excuse")
def excuse_failed(
    evaluations: Annotated[
        list[str], typer.Argument(help="Evaluations, by their ids or the beginnings of these.")
    ],
    why: Annotated[str | None, typer.Option(help="The reason, for the event log.")] = None,
    server: Server = None,
    data: Data = None,
) -> None:
    """Take evaluations that were rejected or cancelled out of what their teams may fail in a week.

    For example: excuse 01a2234a --why "the cases were damaged".
    """
    with api(server=server, data=data) as here:
        for evaluation in sorted({_like(here, prefix.strip().lower()).id for prefix in evaluations}):
            here.post(f"/admin/evaluations/{evaluation}/excuse", {"why": why})
            say(f"{evaluation}: does not count any more")


def _errors(here: Api, challenge: str | None, since: str | None) -> ErrorsOut:
    begin = None if since is None else (datetime.now(UTC) - _span(since)).isoformat()
    return ErrorsOut.model_validate(here.get("/admin/errors", challenge=challenge, since=begin))


def _errored_like(here: Api, prefix: str) -> str:
    row = _like(here, prefix, status=EvaluationStatus.ERRORED)
    if row.status != EvaluationStatus.ERRORED:
        fail(f"Evaluation {row.id} is {row.status}, not errored; {_HINT}")
    return row.id


def _like(here: Api, prefix: str, *, status: EvaluationStatus | None = None) -> EvaluationRow:
    """The evaluation whose id begins so; of several the one that has `status`."""
    if not _BEGINNING.fullmatch(prefix):
        fail(f"{prefix!r} is no beginning of an id: give at least 4 of its digits; {_HINT}")
    listed = here.listed("/admin/evaluations", EvaluationRow, MOST, id=prefix).items
    rows = [row for row in listed if row.id.replace("-", "").startswith(prefix.replace("-", ""))]
    rows = [row for row in rows if row.status == status] or rows
    if not rows:
        fail(f"No evaluation begins with {prefix!r}; {_HINT}")
    if len(rows) > 1:
        named = ", ".join(row.id for row in rows[:5])
        fail(f"{len(rows)} evaluations begin with {prefix!r}: {named}. Give more of it.")
    return rows[0]


def _said(evaluation: str, remaining: int) -> str:
    return f"{evaluation}: {f'{remaining:,} cases run again' if remaining else 'is scored again'}"


def _span(text: str) -> timedelta:
    matched = re.fullmatch(r"(\d{1,5})([mhdw])", text.strip())
    if matched is None:
        fail(f"--since {text!r} is no time: give a number and a unit, as 30m, 12h, 1d or 2w.")
    return min(timedelta(**{_UNITS[matched[2]]: int(matched[1])}), _LONGEST)


def _show(terminal: Console, title: str, failures: list[FailedOut]) -> None:
    """Three lines for each evaluation, for the last one, the reason, is a sentence."""
    if not failures:
        return
    terminal.print(title, style="bold")
    for failed in failures:
        at = failed.ended_at or failed.since
        facts = [
            failed.code or "no reason is known",
            f"{failed.cases_done:,} of {failed.cases:,} cases done",
            f"{failed.cases_parked:,} parked" if failed.cases_parked else "",
            f"on {failed.worker}" if failed.worker else "",
            "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        ]
        terminal.print(
            f"{failed.id}  {failed.challenge} {failed.phase} {failed.track} {failed.task}, {in_line(failed.team)}"
        )
        for line in (", ".join(fact for fact in facts if fact), failed.reason or ""):
            if line:
                terminal.print(Padding(Text(in_line(line)), (0, 0, 0, 4), expand=False))
