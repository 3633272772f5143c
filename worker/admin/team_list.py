"""`proctor-admin teams`: who takes part, and how each team stands."""

from pathlib import Path
from typing import Annotated

import typer

from contract.admin import TeamRow
from server.admin import people
from worker.admin.context import settings_of, work
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()
_PAGE = 200


@app.command("teams")
def list_teams(
    find: Annotated[str | None, typer.Argument(help="Only those with this in their name.")] = None,
    challenge: Annotated[str | None, typer.Option(help="Only of this challenge.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/teams answers, all pages.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Every team: its id, members, standing, submissions and attempts."""
    with work(settings_of(data)) as session:
        found: list[TeamRow] = []
        page = people.teams(session, challenge=challenge, find=find, limit=_PAGE)
        found += page.items
        while page.next is not None:
            page = people.teams(session, challenge=challenge, find=find, after=page.next, limit=_PAGE)
            found += page.items
    if as_json:
        show_json([one.model_dump(mode="json") for one in found])
    else:
        show(teams_table(found), otherwise="There is no such team." if find else "There is no team yet.")


def teams_table(found: list[TeamRow]) -> Listing:
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
    table = Listing(heads, frozenset(("submissions",)), prose=frozenset(("note",)))
    for one in found:
        table.add(
            one.name,
            one.challenge,
            one.standing,
            ", ".join(f"{member.email}{' (captain)' if member.is_captain else ''}" for member in one.members),
            f"{one.submissions:,}",
            f"{one.spent} spent" + (f", {one.active} running" if one.active else ""),
            moment(one.created_at),
            one.disqualified or one.disclaimer or "",
            str(one.id),
        )
    return table
