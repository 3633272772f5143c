"""`proctor-admin overview`: a challenge on one screen."""

from typing import Annotated

import typer
from rich.text import Text

from contract.overview import AttentionOut, ChallengeOverview, PhaseLine, TriedOut
from evaluator.terminal import in_line
from worker.admin.api import api
from worker.admin.options import AsJson, Data, Server
from worker.admin.tables import Listing, console, counted, moment, show_json

app = typer.Typer()


@app.command("overview")
def show_overview(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """What of CHALLENGE needs somebody first, its phases and queue, and the teams that were never scored."""
    with api(server=server, data=data) as here:
        answer = here.get(f"/organize/{challenge}/overview")
    if as_json:
        show_json(answer)
        return
    found = ChallengeOverview.model_validate(answer)
    out = console()
    if found.attention:
        out.print(_attention(found.attention))
    else:
        out.print(Text("Nothing needs anybody's attention.", "green"))
    out.print()
    out.print(_phases(found.phases))
    if found.never_scored:
        out.print()
        out.print(_tried(found.never_scored))
    out.print()
    out.print(
        Text(
            f"{counted(found.teams, 'team')}, {counted(found.submissions, 'submission')}, "
            f"{counted(found.under_way, 'evaluation')} under way, {counted(found.slots, 'slot')}."
        )
    )


def _attention(needs: list[AttentionOut]) -> Listing:
    table = Listing(("when", "what", "to do"), prose=frozenset(("what", "to do")))
    for need in needs:
        table.add(str(need.urgency), in_line(need.sentence), in_line(need.todo))
    return table


def _phases(phases: list[PhaseLine]) -> Listing:
    numbers = frozenset(("evaluations", "cases"))
    table = Listing(("phase", "state", "next (UTC)", "evaluations", "cases", "empty at (UTC)"), numbers)
    for phase in phases:
        table.add(
            phase.name,
            phase.state,
            " ".join(filter(None, (phase.next, moment(phase.next_at)))),
            f"{phase.evaluations:,}" if phase.evaluations else "",
            f"{phase.cases:,}" if phase.cases else "",
            moment(phase.empties_at) or ("not known" if phase.cases else ""),
        )
    return table


def _tried(teams: list[TriedOut]) -> Listing:
    numbers = frozenset(("evaluations", "rejected", "errored"))
    table = Listing(
        ("never scored", "evaluations", "rejected", "errored", "most often", "last (UTC)"), numbers
    )
    for team in teams:
        table.add(
            team.team,
            f"{team.evaluations:,}",
            f"{team.rejected:,}",
            f"{team.errored:,}",
            team.reason or "",
            moment(team.last_at),
        )
    return table
