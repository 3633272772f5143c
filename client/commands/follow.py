"""Following a submission until it has ended, and withdrawing it."""

import time
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
from client.errors import Exit, Problem, Unfinished, Unreachable, Usage
from client.models import CANCELLED, ERRORED, REJECTED, Submission
from client.pace import Pace
from client.show import LATE, scores_table, shows_late, submission_table
from contract.problems import ErrorCode
from evaluator.terminal import in_line, say_json

_PATIENCE = 20  # answers in a row that may fail before following is given up


def exit_code(submission: Submission) -> Exit:
    """The exit code of an ended submission: what its participant can mend counts first."""
    statuses = {one.status for one in submission.evaluations}
    codes = {REJECTED: Exit.REJECTED, ERRORED: Exit.ERRORED, CANCELLED: Exit.CANCELLED}
    return next((code for status, code in codes.items() if status in statuses), Exit.OK)


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
        Unfinished: it did not end within `timeout` seconds.
    """
    with interruptible("Interrupted.", f"The submission goes on: proctor watch {submission_id}"):
        submission = _ended(client, submission_id, interval=interval, timeout=timeout, quiet=quiet)
        if quiet:
            say_json(submission)
        else:
            out.print(submission_table(submission))
            if table := scores_table(submission):
                out.print(table)
            _print_failed_cases(client, submission)
    return exit_code(submission)


def _ended(
    client: Client, submission_id: str, *, interval: float | None, timeout: float | None, quiet: bool
) -> Submission:
    """The submission once it has ended; shows it until then."""
    until = None if timeout is None else time.monotonic() + timeout
    submission, seen, pace = client.submission(submission_id), "", Pace(interval)
    with Live(console=err, auto_refresh=False, transient=True) as live:
        while not submission.ended:
            if not quiet:
                seen = _look(live, submission, seen)
            if until is not None and time.monotonic() > until:
                if quiet:
                    say_json(submission)
                raise Unfinished("The submission has not ended yet.", f"proctor watch {submission_id}")
            pause = pace.after(submission)
            time.sleep(pause)
            submission = next_state(client, submission_id, pause)
    return submission


def _print_failed_cases(client: Client, submission: Submission) -> None:
    """The logs of cases that failed, where the phase's cases are public."""
    for evaluation in submission.evaluations:
        try:
            cases = client.cases(evaluation.id)
        except Problem:  # a hidden phase: the verdicts' counts are all there is
            continue
        for case in cases:
            if case.verdict not in (None, "valid"):
                out.print(in_line(f"{evaluation.task} {case.case}: {case.verdict}. {case.message or ''}"))
                out.print(case.log or "(nothing was printed)", soft_wrap=True)


def _look(live: Live, submission: Submission, seen: str) -> str:
    """Shows the present state: as a live table in a terminal, else as a line whenever it has changed."""
    if err.is_terminal:
        live.update(submission_table(submission), refresh=True)
        return ""
    state = ", ".join(f"{one.task} {one.status} {one.progress * 10} %" for one in submission.evaluations)
    notes = dict.fromkeys(one.note for one in submission.evaluations if one.note)
    state = "\n".join([state, *notes])
    if state != seen:
        err.print(state, soft_wrap=True)
    if not seen and shows_late(submission):
        err.print(LATE, soft_wrap=True)
    return state


def next_state(client: Client, submission_id: str, interval: float) -> Submission:
    """The submission's next state; a server that restarts is waited for."""
    for _ in range(_PATIENCE):
        try:
            return client.submission(submission_id)
        except Unreachable:
            time.sleep(interval)
        except Problem as problem:
            if problem.status < 500:
                raise
            time.sleep(interval)
    return client.submission(submission_id)


@app.command()
def watch(
    submission: Annotated[str | None, typer.Argument(help="Its id; your team's newest if left out.")] = None,
    interval: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds between two looks; 2 at first and up to 10 if left out."),
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
        raise Usage("Your team has not submitted anything yet.", "Begin with `proctor submit IMAGE`.")
    return newest.id


@app.command()
def cancel(
    which: Annotated[str, typer.Argument(metavar="SUBMISSION|EVALUATION", help="The id of either.")],
) -> None:
    """Withdraw a submission, or one evaluation of it; attempts that have not been spent are given back.

    An evaluation on hidden cases that has begun counts among those that may be rejected in a week.
    """
    with signed_in() as client:
        for one in _to_cancel(client, which):
            ended = client.cancel(one)
            out.print(f"{ended.task}: {ended.status}")


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
    return [one.id for one in submission.evaluations if not one.ended]
