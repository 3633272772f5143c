"""`proctor-admin usage`: how much each team uses of what it may."""

from typing import Annotated, Any

import typer

from contract.usage import TeamUsage
from server.disk import gib
from worker.admin.api import api
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()
_PAGE = 200


@app.command("usage")
def show_usage(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="As GET /organize/{slug}/usage answers, all pages.")
    ] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """What each team stores of what it may, and how many of its evaluations were rejected this week of how many may."""
    found: list[dict[str, Any]] = []
    with api(server=server, data=data) as here:
        while page := here.get(
            f"/organize/{challenge}/usage", limit=_PAGE, after=found[-1]["id"] if found else None
        ):
            found += page
    if as_json:
        show_json(found)
    else:
        show(_table([TeamUsage.model_validate(team) for team in found]), otherwise="There is no team yet.")


def _table(teams: list[TeamUsage]) -> Listing:
    heads = ("team", "images", "uploads", "may store", "rejected this week", "id")
    table = Listing(heads, numbers=frozenset(heads[1:4]), prose=frozenset((heads[4],)))
    for team in teams:
        rejected = (
            f"{use.phase} {use.task}: {use.rejected} of {use.most}"
            + (f", {use.under_way} under way" if use.under_way else "")
            + (f", next {moment(use.next_at)}" if use.next_at else "")
            for use in team.rejected
        )
        table.add(
            team.team, gib(team.images), gib(team.uploads), gib(team.allowed), "\n".join(rejected), team.id
        )
    return table
