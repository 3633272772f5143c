"""`proctor-admin errors`, `retry` and `excuse`: what the platform failed at, and how an admin makes up for it."""

import re
from datetime import UTC, timedelta
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from contract.evaluations import ErrorsOut, FailedOut
from contract.ids import EvaluationId
from evaluator.terminal import Console, in_line, say, say_json
from server.admin.find import evaluation_id
from server.clock import now
from server.evaluations import errors
from server.evaluations.excuse import excuse
from server.evaluations.views import failed_out
from server.submissions.retry import errored_like, retry
from worker.admin.context import ACTOR, fail, make_sure, settings_of, work
from worker.admin.options import Data
from worker.admin.tables import console

app = typer.Typer()
Challenge = Annotated[str | None, typer.Option(help="Only of this challenge.")]
Since = Annotated[str | None, typer.Option(help="Only what ended within this time: 30m, 12h, 1d, 2w.")]
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36500)


@app.command("errors")
def show_errors(
    since: Since = None,
    challenge: Challenge = None,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/errors answers.")] = False,
    data: Data = None,
) -> None:
    """Evaluations that ended by the platform's fault, and why; and those that wait for a fault to pass."""
    with work(settings_of(data)) as session:
        begin = None if since is None else now(session) - _span(since)
        answer = ErrorsOut(
            errored=[
                failed_out(failed) for failed in errors.errored(session, challenge=challenge, since=begin)
            ],
            parked=[failed_out(failed) for failed in errors.parked(session, challenge=challenge)],
        )
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
    settings = settings_of(data)
    with work(settings) as session:
        if evaluations:
            ids = set(errored_like(session, evaluations))
        else:
            begin = None if since is None else now(session) - _span(since)
            ids = {
                failed.evaluation.id for failed in errors.errored(session, challenge=challenge, since=begin)
            }
    if not ids:
        fail("No evaluation that is meant is errored; 'proctor-admin errors' shows those that are.")
    if len(ids) > 1:
        make_sure(f"{len(ids)} evaluations are run again.", yes=yes)
    with work(settings) as session:
        for evaluation in sorted(ids):
            say(
                _said(
                    evaluation, retry(session, evaluation, actor=ACTOR, settings=settings, why=why).remaining
                )
            )


@app.command("excuse")
def excuse_failed(
    evaluations: Annotated[
        list[str], typer.Argument(help="Evaluations, by their ids or the beginnings of these.")
    ],
    why: Annotated[str | None, typer.Option(help="The reason, for the event log.")] = None,
    data: Data = None,
) -> None:
    """Take evaluations that were rejected or cancelled out of what their teams may fail in a week.

    For example: excuse 01a2234a --why "the cases were damaged".
    """
    with work(settings_of(data)) as session:
        for evaluation in sorted({evaluation_id(session, prefix) for prefix in evaluations}):
            excuse(session, evaluation, actor=ACTOR, why=why)
            say(f"{evaluation}: does not count any more")


def _said(evaluation: EvaluationId, remaining: int) -> str:
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
