"""`proctor-admin teams`: who takes part, and how each team stands."""

from collections.abc import Sequence
from typing import Annotated

import typer

from contract.admin import TeamRow
from worker.admin.api import api
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()


@app.command("teams")
def list_teams(
    find: Annotated[str | None, typer.Argument(help="Only those with this in their name.")] = None,
    challenge: Annotated[str | None, typer.Option(help="Only of this challenge.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/teams answers, all pages.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Every team: its id, members, standing, submissions and attempts."""
    with api(server=server, data=data) as here:
        rows = here.listed("/admin/teams", TeamRow, challenge=challenge, find=find).items
    if as_json:
        show_json([team.model_dump(mode="json") for team in rows])
    else:
        show(teams_table(rows), otherwise=_none(find, challenge))


def _none(find: str | None, challenge: str | None) -> str:
    if find is None:
        return "There is no team yet."
    all_of_it = "" if challenge else f" All of a challenge: 'proctor-admin teams --challenge {find}'."
    return f"No team has {find!r} in its name.{all_of_it}"


def teams_table(rows: Sequence[TeamRow]) -> Listing:
    """One row per team."""
    heads = (
        "team",
        "challenge",
        "standing",
        "members",
        "submissions",
        "attempts",
        "since (UTC)",
        "note",
        "id",
    )
    table = Listing(heads, frozenset(("submissions",)), prose=frozenset(("note",)), whole=frozenset(("id",)))
    for team in rows:
        table.add(
            team.name,
            team.challenge,
            team.standing,
            ", ".join(
                f"{member.email}{' (captain)' if member.is_captain else ''}" for member in team.members
            ),
            f"{team.submissions:,}",
            f"{team.spent} spent" + (f", {team.active} running" if team.active else ""),
            moment(team.created_at),
            team.disqualified or team.disclaimer or "",
            team.id,
        )
    return table
