"""`proctor-admin decide`, `attempts`, `grant-attempts`, `void` and `unvoid`: what organizers decide, shown first."""

from typing import Annotated, Any

import typer

from contract.decisions import ActPlan, Decision, Ledger
from evaluator.terminal import in_line, say
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import Data, Server
from worker.admin.shifts import show_shifts
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()
Challenge = Annotated[str, typer.Argument(help="The challenge's name.")]
Team = Annotated[str, typer.Argument(help="The team's name, or its id.")]
Evaluation = Annotated[str, typer.Argument(help="The evaluation's id, or its beginning.")]
Why = Annotated[
    str, typer.Option(help="The reason: the event log keeps it, and whom it concerns may read it.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="The plan and the answer as the API has them.")]
Phase = Annotated[str, typer.Option(help="On this phase.")]
Task = Annotated[str, typer.Option(help="On this task.")]
Track = Annotated[str, typer.Option(help="In this track.")]


@app.command("decide")
def decide(
    challenge: Challenge,
    team: Team,
    decision: Annotated[Decision, typer.Argument(help="What is decided.")],
    why: Why,
    name: Annotated[str | None, typer.Option(help="With rename: what the team is called then.")] = None,
    disclaimer: Annotated[str | None, typer.Option(help="With ineligible: what boards say of it.")] = None,
    into: Annotated[str | None, typer.Option(help="With merge: the team that gets all.")] = None,
    counts: Annotated[
        str | None, typer.Option(help="With merge, where both have results: whose stay, this or into.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Decide about a team: disqualify, reinstate, rename, merge and so on. It shows what changes and asks first.

    For example: decide fomo26 "Team A" disqualify --why "It answered with labels of last year."
    """
    with api(server=server, data=data) as here:
        other = None if into is None else _team(here, challenge, into)
        body: dict[str, Any] = {"decision": decision, "why": why, "name": name, "disclaimer": disclaimer}
        body |= {"counts": counts, "into": other}
        path = f"/organize/{challenge}/teams/{_team(here, challenge, team)}/decisions"
        _act(here, path, body, f"{team}: {decision}", yes=yes, as_json=as_json)


@app.command("grant-attempts")
def grant_attempts(
    challenge: Challenge,
    team: Team,
    phase: Phase,
    task: Task,
    track: Track,
    valid: Annotated[int, typer.Option(help="Valid attempts more; below 0 fewer.")],
    why: Why,
    yes: Yes = False,
    as_json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Give a team valid attempts on one task, track and phase, or take some; its members see the reason.

    For example: grant-attempts fomo26 "Team A" --phase test --task task3 --track open --valid 1 --why "A host failed."
    """
    body = {"phase": phase, "task": task, "track": track, "valid": valid, "why": why}
    with api(server=server, data=data) as here:
        path = f"/organize/{challenge}/teams/{_team(here, challenge, team)}/grants"
        _act(here, path, body, f"{team}: {valid:+d} granted", yes=yes, as_json=as_json)


@app.command("void")
def void(
    challenge: Challenge,
    evaluation: Evaluation,
    why: Why,
    yes: Yes = False,
    as_json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Take a scored evaluation off the boards: its attempt is given back, its receipt stays, its team reads why."""
    with api(server=server, data=data) as here:
        path = f"/organize/{challenge}/evaluations/{_evaluation(here, challenge, evaluation)}/void"
        _act(here, path, {"why": why}, f"{evaluation}: void", yes=yes, as_json=as_json)


@app.command("unvoid")
def unvoid(
    challenge: Challenge,
    evaluation: Evaluation,
    why: Why,
    yes: Yes = False,
    as_json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Bring a void evaluation back to the boards; its attempt is spent again."""
    with api(server=server, data=data) as here:
        path = f"/organize/{challenge}/evaluations/{_evaluation(here, challenge, evaluation)}/unvoid"
        _act(here, path, {"why": why}, f"{evaluation}: in force again", yes=yes, as_json=as_json)


@app.command("attempts")
def show_attempts(
    challenge: Challenge,
    team: Team,
    limit: Annotated[
        int, typer.Option(min=1, max=500, help="At most so many evaluations, the newest.")
    ] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="As GET /organize/{slug}/teams/{id}/attempts answers.")
    ] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """A team's attempts entry by entry: what spends or holds one, what was given back and why; and its grants."""
    with api(server=server, data=data) as here:
        path = f"/organize/{challenge}/teams/{_team(here, challenge, team)}/attempts"
        answer = here.get(path, limit=limit)
    if as_json:
        show_json(answer)
        return
    found = Ledger.model_validate(answer)
    show(_limited(found), otherwise="It has used no attempt of a phase that limits them.")
    if found.grants:
        show(_grants(found))
    show(_entries(found), otherwise=f"{in_line(found.team)} has submitted nothing yet.")
    if found.more:
        say("There are older ones: --limit shows more.")


def _act(here: Api, path: str, body: dict[str, Any], done: str, *, yes: bool, as_json: bool) -> None:
    """Shows what the act would change, asks, and does it only if the boards are still as they were shown."""
    body = {name: value for name, value in body.items() if value is not None}
    answer = here.post(f"{path}/plan", body)
    plan = ActPlan.model_validate(answer)
    if not as_json:
        show_shifts(plan.shifts)
        for told in plan.told:
            say(f"Its members read: {in_line(told)}")
    make_sure("\n".join(plan.sentences), yes=yes)
    made = here.post(path, body | {"seen": plan.shifts.digest})
    if as_json:
        show_json({"plan": answer, "answer": made})
    else:
        say(in_line(done))


def _team(here: Api, challenge: str, named: str) -> str:
    found = here.get("/admin/teams", challenge=challenge, find=named, limit=100)["items"]
    if not found:
        found = here.get("/admin/teams", challenge=challenge, limit=200)["items"]
    meant = [team["id"] for team in found if named in (team["id"], team["name"])] or [
        team["id"] for team in found if named.casefold() == team["name"].casefold()
    ]
    if len(meant) != 1:
        fail(f"{challenge} has no team {named!r}; 'proctor-admin teams --challenge {challenge}' lists them.")
    return str(meant[0])


def _evaluation(here: Api, challenge: str, beginning: str) -> str:
    found = here.get("/admin/evaluations", challenge=challenge, id=beginning, limit=20)["items"]
    wanted = beginning.replace("-", "").casefold()
    meant = [row["id"] for row in found if row["id"].replace("-", "").startswith(wanted)]
    if len(meant) != 1:
        fail(
            f"{'Several evaluations' if meant else 'No evaluation'} of {challenge} begin{'' if meant else 's'} with "
            f"{beginning!r}; 'proctor-admin submissions --challenge {challenge}' lists them."
        )
    return str(meant[0])


def _limited(ledger: Ledger) -> Listing:
    table = Listing(("phase", "track", "task", "valid", "spent", "held", "left"))
    for row in ledger.quotas:
        if row.valid is not None and (row.spent or row.reserved or row.grants):
            numbers = (row.valid, row.spent, row.reserved, row.left)
            table.add(row.phase, row.track, row.task, *map(str, numbers))
    return table


def _grants(ledger: Ledger) -> Listing:
    heads = ("granted (UTC)", "phase", "track", "task", "valid", "by", "why")
    table = Listing(heads, numbers=frozenset({"valid"}), prose=frozenset({"why"}))
    for row in ledger.grants:
        by = row.granted_by_name or row.granted_by
        named = (row.phase, row.track, row.task, f"{row.valid:+d}", by, row.why)
        table.add(moment(row.created_at), *named)
    return table


def _entries(ledger: Ledger) -> Listing:
    heads = ("submitted (UTC)", "phase", "track", "task", "status", "attempt", "because", "evaluation")
    table = Listing(heads, prose=frozenset({"because"}))
    for row in ledger.entries:
        facts = (row.phase, row.track, row.task, row.status, row.attempt, row.because, row.evaluation)
        table.add(moment(row.created_at), *facts)
    return table
