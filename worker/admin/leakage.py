"""`proctor-admin leakage`: how much of hidden cases a season of a challenge can tell its teams."""

from pathlib import Path
from typing import Annotated

import typer

from evaluator.spec import Challenge, SpecError, load_challenge
from evaluator.terminal import say
from server.submissions.leakage import Channel, channels
from worker.admin.context import fail
from worker.admin.tables import Listing, show

app = typer.Typer()


@app.command("leakage")
def reckon(
    file: Annotated[Path, typer.Argument(help="A challenge file.")],
    weeks: Annotated[int, typer.Option(min=1, max=1000, help="Weeks of a season.")] = 26,
    cases: Annotated[int, typer.Option(min=1, max=100_000, help="Cases of a task.")] = 100,
) -> None:
    """How many bits of hidden cases a team can carry out in a season, at most, for each hidden phase and task.

    For example: leakage challenges/fomo26/challenge.yaml --weeks 20
    """
    try:
        spec = load_challenge(file)
    except SpecError as error:
        fail(str(error))
    hidden = [name for name, phase in spec.phases.items() if phase.hidden]
    for phase in hidden:
        for task in spec.tasks:
            show(listing(spec, phase, task, weeks=weeks, cases=cases))
    if not hidden:
        say("No phase of this file has hidden cases.")


def listing(spec: Challenge, phase: str, task: str, *, weeks: int, cases: int) -> Listing:
    """The channels of one phase and task, and their sum."""
    heads = ("evaluation", "what tells", "bits each", "evaluations", "bits")
    table = Listing(
        heads, numbers=frozenset(heads[2:]), title=f"{phase}, {task}, {weeks} weeks, {cases} cases"
    )
    rows = list(channels(spec, phase, task, weeks=weeks, cases=cases))
    for row in rows:
        table.add(*cells(row))
    season = [row.season for row in rows]
    total = "no limit" if None in season else f"{sum(bits for bits in season if bits is not None):,.0f}"
    table.add("all", "a team on this task", "", "", total)
    return table


def cells(row: Channel) -> tuple[str, str, str, str, str]:
    """A channel as a row."""
    if row.season is None:
        return row.kind, row.what, f"{row.bits:.1f}", "no limit", "no limit"
    return row.kind, row.what, f"{row.bits:.1f}", f"{row.per_season:,}", f"{row.season:,.0f}"
