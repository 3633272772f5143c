"""`proctor-admin same-person`: which accounts of a challenge may be one person's."""

from typing import Annotated

import typer

from contract.same_person import Resemblance
from evaluator.terminal import say
from worker.admin.api import api
from worker.admin.options import AsJson, ChallengeArgument, Data, Server
from worker.admin.tables import Listing, show, show_json

app = typer.Typer()


@app.command("same-person")
def same_person(
    challenge: ChallengeArgument,
    limit: Annotated[int, typer.Option(min=1, max=200, help="As many groups at most.")] = 200,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Which accounts of different teams may be one person's, what says so, and how much that says.

    Nothing follows from it by itself: ask them, and merge their teams with 'proctor-admin decide CHALLENGE TEAM merge'.
    """
    with api(server=server, data=data) as here:
        found = here.get(f"/organize/{challenge}/accounts", limit=limit)
    if as_json:
        show_json(found)
        return
    table = Listing(("group", "weight", "reason", "team", "mail", "name"))
    groups = [Resemblance.model_validate(group) for group in found]
    for number, group in enumerate(groups, 1):
        for account in group.accounts:
            table.add(
                str(number), str(group.weight), str(group.reason), account.team, account.email, account.name
            )
    show(table, otherwise=f"No two accounts of {challenge} have anything in common that says so.")
    for said in dict.fromkeys(f"{group.reason}: {group.says}" for group in groups):
        say(said, err=True)
