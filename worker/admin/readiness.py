"""`proctor-admin check`: is a challenge ready to open, and what to do where it is not."""

from typing import Annotated

import typer

from contract.phases import CheckState
from contract.readiness import ChallengeReadiness
from evaluator.terminal import say
from worker.admin.api import api
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, counted, show, show_json

app = typer.Typer()


@app.command("check")
def check_challenge(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    phase: Annotated[str | None, typer.Option(help="Only this phase, and what concerns all.")] = None,
    no_labels: Annotated[
        bool, typer.Option("--no-labels", help="Do not read labels, which may take minutes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /organize/{slug}/check answers.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Whether CHALLENGE is ready to open: dates, cases, workers, disk, keys, rules; exit code 1 on errors."""
    with api(server=server, data=data) as here:
        answer = here.get(f"/organize/{challenge}/check", phase=phase, labels=not no_labels)
    found = ChallengeReadiness.model_validate(answer)
    if as_json:
        show_json(answer)
    else:
        show(_table(found))
        say(f"{challenge}: {counted(found.errors, 'error')}, {counted(found.warnings, 'warning')}")
    if found.errors:
        raise typer.Exit(1)


_WORDS = {CheckState.OK: "ok", CheckState.WARNING: "warn", CheckState.ERROR: "fail"}


def _table(found: ChallengeReadiness) -> Listing:
    table = Listing(("state", "what", "where", "found"), prose=frozenset(("found",)))
    for check in found.checks:
        where = " ".join(filter(None, (check.phase, check.task)))
        table.add(_WORDS[check.state], check.code, where, f"{check.found}\n{check.todo}".strip())
    return table
