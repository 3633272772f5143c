"""Following a submission until it has ended, and withdrawing it."""

import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.live import Live

from client.api import Client
from client.app import (
    ChallengeOption,
    JsonOption,
    TeamOption,
    app,
    choose_challenge,
    choose_team,
    err,
    interruptible,
    out,
    signed_in,
)
from client.errors import Exit, Problem, Unfinished, WrongUsage
from client.events import states
from client.newer import UPDATE, Unknown, notice, unknown
from client.show import LATE, notes_of, scores_table, shows_late, status_word, submission_table
from contract.evaluations import CaseOut
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from contract.submissions import SubmissionOut
from evaluator.terminal import in_line, say_json

_CODES = {
    EvaluationStatus.REJECTED: Exit.REJECTED,
    EvaluationStatus.ERRORED: Exit.ERRORED,
    EvaluationStatus.CANCELLED: Exit.CANCELLED,
}


def exit_code(submission: SubmissionOut) -> Exit:
    """The exit code of an ended submission: what its participant can mend counts first."""
    statuses = {evaluation.status for evaluation in submission.evaluations}
    return next((code for status, code in _CODES.items() if status in statuses), Exit.OK)


def follow(
    client: Client,
    submission_id: str,
    *,
    interval: float | None = None,
    timeout: float | None = None,
    quiet: bool = False,
) -> Exit:
    """Shows a submission until it has ended and returns its exit code.

    Raises:
        Unfinished: it did not end within `timeout` seconds, or what has not is in a status of a newer server.
    """
    with interruptible("Interrupted.", f"The submission goes on: proctor watch {submission_id}"):
        submission = _ended(client, submission_id, interval=interval, timeout=timeout, quiet=quiet)
        if quiet:
            say_json(submission)
        else:
            out.print(submission_table(submission))
            if table := scores_table(submission):
                out.print(table)
            _print_cases(client, submission)
    return exit_code(submission)


def _ended(
    client: Client, submission_id: str, *, interval: float | None, timeout: float | None, quiet: bool
) -> SubmissionOut:
    """The submission once it has ended; shows it until then."""
    until = None if timeout is None else time.monotonic() + timeout
    seen, newer = "", Unknown()
    with Live(console=err, auto_refresh=False, transient=True) as live:
        for submission in states(client, submission_id, interval=interval, until=until):
            if submission.ended:
                break
            if not quiet:
                seen = _look(live, submission, seen)
            if newer.begins(submission):
                err.print(notice(submission), soft_wrap=True)
            if newer.is_over() or (until is not None and time.monotonic() > until):
                if quiet:
                    say_json(submission)
                raise _unfinished(submission, given_up=newer.is_over())
    return submission


def _unfinished(submission: SubmissionOut, *, given_up: bool) -> Unfinished:
    again = f"proctor watch {submission.id}"
    if given_up:
        return Unfinished(
            f"{unknown(submission)} It is not waited for any longer.", f"{UPDATE}, then: {again}"
        )
    return Unfinished("The submission has not ended yet.", again)


def _print_cases(client: Client, submission: SubmissionOut) -> None:
    """The logs of cases that failed, and what cases were warned of, where the phase's cases are public."""
    for evaluation in submission.evaluations:
        try:
            cases = client.cases(evaluation.id)
        except Problem:  # a hidden phase: the verdicts' counts are all there is
            continue
        for case in cases:
            if case.verdict not in (None, "valid"):
                out.print(in_line(f"{evaluation.task} {case.case}: {case.verdict}. {case.message or ''}"))
                out.print(case.log or "(nothing was printed)", soft_wrap=True)
        for warning, warned in _by_warning(cases).items():
            count = "1 case" if len(warned) == 1 else f"{len(warned):,} cases"
            out.print(in_line(f"{evaluation.task}, {count} such as {warned[0]}: {warning}"), style="yellow")


def _by_warning(cases: Iterable[CaseOut]) -> dict[str, list[str]]:
    """The names of the cases that each warning is of."""
    by_warning: dict[str, list[str]] = {}
    for case in cases:
        for warning in case.warnings:
            by_warning.setdefault(warning, []).append(case.case)
    return by_warning


def _look(live: Live, submission: SubmissionOut, seen: str) -> str:
    """Shows the present state: as a live table in a terminal, else as a line whenever it has changed."""
    if err.is_terminal:
        live.update(submission_table(submission), refresh=True)
        return ""
    state = ", ".join(
        f"{evaluation.task} {status_word(evaluation)} {evaluation.progress * 10} %"
        for evaluation in submission.evaluations
    )
    notes = dict.fromkeys(note for evaluation in submission.evaluations for note in notes_of(evaluation))
    state = "\n".join([state, *notes])
    if state != seen:
        err.print(state, soft_wrap=True)
    if not seen and shows_late(submission):
        err.print(LATE, soft_wrap=True)
    return state


@app.command()
def watch(
    submission: Annotated[str | None, typer.Argument(help="Its id; your team's newest if left out.")] = None,
    interval: Annotated[
        float | None,
        typer.Option(min=0.1, help="Look every so many seconds, instead of being told by the server."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Give up after so many seconds, with exit code 7.")
    ] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a submission until it has ended; the exit code says how it did.

    0: every evaluation SCORED, 1: one was REJECTED, 3: one ERRORED (the platform's fault), 4: one was CANCELLED.
    """
    with signed_in() as client:
        wanted = submission or _newest(client, challenge, team)
        raise typer.Exit(follow(client, wanted, interval=interval, timeout=timeout, quiet=as_json))


def _newest(client: Client, challenge: str | None, team: str | None) -> str:
    slug = choose_challenge(client, challenge).slug
    newest = client.newest_submission(slug, choose_team(client, slug, team))
    if newest is None:
        raise WrongUsage("Your team has not submitted anything yet.", "Begin with `proctor submit IMAGE`.")
    return newest.id


@app.command()
def cancel(
    which: Annotated[str, typer.Argument(metavar="SUBMISSION|EVALUATION", help="The id of either.")],
) -> None:
    """Withdraw a submission, or one evaluation of it; attempts that have not been spent are given back.

    An evaluation on hidden cases that has begun counts among those that may be rejected in a week.
    """
    with signed_in() as client:
        for evaluation in _to_cancel(client, which):
            asked = client.cancel(evaluation)
            late = (
                ""
                if asked.ended
                else ", as far as is shown; on hidden cases a withdrawal shows at the next step"
            )
            out.print(f"{asked.task}: {status_word(asked)}{late}")


def _to_cancel(client: Client, which: str) -> list[str]:
    """The ids of the evaluations that are meant: those of a submission that have not ended, or `which` itself."""
    try:
        submission = client.submission(which)
    except Problem as problem:
        if problem.code != ErrorCode.UNKNOWN_SUBMISSION:
            raise
        return [which]
    if submission.ended:
        raise Problem(409, "already_ended", "Conflict", "This submission has ended and cannot be cancelled.")
    return [evaluation.id for evaluation in submission.evaluations if not evaluation.ended]
