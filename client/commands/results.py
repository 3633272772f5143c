"""What has been reached and what is left: scores, leaderboards, attempts."""

from datetime import UTC
from typing import Annotated

import typer
from pydantic import TypeAdapter

from client.api import Client
from client.app import (
    ChallengeArgument,
    ChallengeOption,
    JsonOption,
    TeamOption,
    app,
    choose_challenge,
    choose_team,
    err,
    out,
    signed_in,
)
from client.boards import leaderboard_tables
from client.errors import Problem
from client.preflight import has_closed, require_phase
from client.show import attempts_table, grant_lines, quota_table, scores_table, submission_table
from contract.challenges import PhaseOut
from contract.leaderboard import LeaderboardOut
from contract.phases import AmendmentOut, is_first
from contract.problems import ErrorCode
from contract.submissions import SubmissionOut
from contract.texts import short_digests
from evaluator.terminal import in_line, say_json

_RESULTS = TypeAdapter(dict[str, list[SubmissionOut] | list[LeaderboardOut]])

_SHOWN = 20


@app.command()
def quota(
    phase: Annotated[str | None, typer.Option(help="One phase; those open now if left out.")] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is left of your team's attempts. With --json every phase, unless one is named."""
    with signed_in() as client:
        listed = choose_challenge(client, challenge)
        named = None if phase is None else require_phase(listed, phase)
        rows = client.quota(listed.slug, choose_team(client, listed.slug, team))
    if named is not None:
        rows = [row for row in rows if row.phase == named.name]
    if as_json:
        say_json([row.model_dump(mode="json") for row in rows])
        return
    shown = [named] if named else [phase for phase in listed.phases if phase.open]
    names = {phase.name for phase in shown}
    if shown:
        named_rows = [row for row in rows if row.phase in names]
        out.print(quota_table(named_rows))
        for line in grant_lines(named_rows):
            out.print(line, soft_wrap=True)
    for period in listed.phases:
        if not period.open and (named is None or period == named):
            out.print(f"{period.name}: {_why_closed(period)}")


@app.command()
def attempts(
    phase: Annotated[str | None, typer.Option(help="Of one phase only.")] = None,
    track: Annotated[str | None, typer.Option(help="On one track only.")] = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="On one task only.")] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Your team's attempts move by move: taken, spent, given back or granted, why, and what was left after it."""
    with signed_in() as client:
        own = team or choose_team(client, choose_challenge(client, challenge).slug, None)
        where = {"phase": phase, "track": track, "task": task}
        found = client.attempts(own, **{name: value for name, value in where.items() if value is not None})
    if as_json:
        say_json(found)
        return
    if not found.moves:
        out.print(
            "No attempt has been taken, spent or granted there yet; `proctor quota` shows what there is."
        )
        return
    out.print(attempts_table(found.moves))
    if found.more:
        out.print("There are older ones: name a phase, track or task.")


def _why_closed(phase: PhaseOut) -> str:
    return "closed" if has_closed(phase) else "not open yet"


@app.command("challenge")
def show_challenge(named: ChallengeArgument = None, challenge: ChallengeOption = None) -> None:
    """Show a challenge's tracks, tasks and phases, and what the organizers changed since."""
    with signed_in() as client:
        listed = choose_challenge(client, named or challenge)
        spec = client.challenge(listed.slug).spec
        amended = _amendments(client, listed.slug)
    out.print(f"{in_line(listed.title)} ({in_line(listed.slug)})", soft_wrap=True)
    out.print(in_line(f"tracks: {', '.join(listed.tracks)}"), soft_wrap=True)
    out.print("tasks:")
    for task, about in spec["tasks"].items():
        title = about.get("title") if isinstance(about, dict) else None
        out.print(in_line(f"  {task}: {title}" if title else f"  {task}"), soft_wrap=True)
    out.print("phases:")
    for phase in listed.phases:
        out.print(f"  {in_line(phase.name)}: {_when(phase)}", soft_wrap=True)
    for amendment in amended:
        if not is_first(amendment.what):  # before the first cases nobody could submit
            out.print(in_line(_said(amendment)), soft_wrap=True)


def _said(amendment: AmendmentOut) -> str:
    because = f", because: {amendment.why}" if amendment.why else ""
    at = f"{amendment.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"amended {at} by {amendment.by}: {short_digests(amendment.what)}{because}"


def _amendments(client: Client, slug: str) -> list[AmendmentOut]:
    """The latest amendments; none of a server that knows of none."""
    try:
        return client.amendments(slug, limit=_SHOWN)
    except Problem as problem:
        if problem.status != 404:
            raise
        return []


def _when(phase: PhaseOut) -> str:
    if phase.opens is None:
        return "no date yet"
    ends = f"{phase.closes.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if phase.closes else ""
    until = f", closes {ends}" if ends else ""
    if phase.open:
        return f"open{until}"
    if has_closed(phase):
        return f"closed {ends}"
    return f"opens {phase.opens.astimezone(UTC):%Y-%m-%d %H:%M} UTC{until}"


@app.command()
def results(
    phase: Annotated[
        str | None, typer.Option(help="One phase; every phase with a board if left out.")
    ] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    boards: Annotated[bool, typer.Option(help="Show the leaderboards too.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Your team's scores and the leaderboards. In brackets: the rank of a board without a scored submission."""
    with signed_in() as client:
        listed = choose_challenge(client, challenge)
        own = [row for row in _own(client, listed.slug, team) if phase in (None, row.phase)]
        phases = [phase] if phase else [phase.name for phase in listed.phases]
        shown = [
            board
            for name in phases
            if boards and (board := _board(client, listed.slug, name, named=bool(phase)))
        ]
    if as_json:
        content: dict[str, list[SubmissionOut] | list[LeaderboardOut]] = {
            "submissions": own,
            "leaderboards": shown,
        }
        say_json(_RESULTS.dump_python(content, mode="json"))
        return
    for submission in reversed(own):
        out.print(scores_table(submission) or submission_table(submission))
        out.print()
    for board in shown:
        for table in leaderboard_tables(board):
            out.print(table)
    if not own and not shown:
        out.print("Nothing yet.")


def _own(client: Client, slug: str, team: str | None) -> list[SubmissionOut]:
    """The team's submissions; without a team none, for the boards are public."""
    try:
        return client.submissions(slug, choose_team(client, slug, team))
    except Problem as problem:
        if problem.code != ErrorCode.NO_TEAM:
            raise
    err.print(
        "You are in no team yet. Found one: proctor team create NAME. Or join one: proctor team join CODE."
    )
    err.print("The boards are public:")
    return []


def _board(client: Client, slug: str, phase: str, *, named: bool) -> LeaderboardOut | None:
    """A phase's leaderboards; None where it has none for this team and was not asked for by name."""
    try:
        board = client.leaderboard(slug, phase)
    except Problem as problem:
        if named or problem.status not in (403, 404):
            raise
        return None
    shown = any(track.unified or any(board.otherwise for board in track.boards) for track in board.tracks)
    return board if named or shown else None
