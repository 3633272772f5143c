"""`proctor-admin person`: what is kept of somebody, given out, or erased."""

import json
from pathlib import Path
from typing import Annotated

import typer

from contract.admin import PersonOut
from contract.privacy import ErasureOut, TeamNames, Texts
from evaluator.terminal import say
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import AsJson, Data, Server, Yes
from worker.admin.tables import Listing, show, show_json
from worker.embedded.data import write_closed

app = typer.Typer()


@app.command("person")
def person(
    mail: Annotated[str, typer.Argument(metavar="MAIL", help="The person's e-mail address.")],
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write everything that is kept of them, as JSON.")
    ] = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Erase them for good, after the plan was shown.")
    ] = False,
    team_names: Annotated[
        TeamNames, typer.Option(help="Of teams that nobody is left in, also on released boards.")
    ] = TeamNames.KEEP,
    texts: Annotated[Texts, typer.Option(help="Of questions that they wrote.")] = Texts.REMOVE,
    why: Annotated[
        str | None, typer.Option(help="Why they are erased; name nobody.", metavar="REASON")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Show what erasing a person would remove and keep; with --export give out their data, with --erase do it."""
    with api(server=server, data=data) as here:
        found = _found(here, mail)
        path = f"/admin/users/{found.id}"
        if export is not None:
            write_closed(
                export.absolute(), json.dumps(here.get(f"{path}/export"), indent=2, ensure_ascii=False)
            )
            say(f"{export}: everything that is kept of {found.email}")
            if not erase:
                return
        how = {"team_names": team_names.value, "texts": texts.value}
        told = here.get(f"{path}/erasure", **how)
        plan = ErasureOut.model_validate(told)
        if not as_json:
            _show(plan)
        if erase:
            if why is None:
                fail("Say why with --why, for instance that they asked for it. Nothing was changed.")
            make_sure(f"{found.email} ({found.name}) is erased for good. Nothing undoes this.", yes=yes)
            told = here.post(f"{path}/erasure", how | {"email": found.email, "why": why})
    if as_json:
        show_json(told)
    elif erase:
        say(f"{found.email} is erased.")


def _found(here: Api, mail: str) -> PersonOut:
    rows = here.listed("/admin/users", PersonOut, find=mail).items
    found = next((row for row in rows if row.email == mail.strip().lower()), None)
    if found is None:
        fail(f"Nobody has an account with the address {mail}; 'proctor-admin people' shows everybody.")
    return found


def _show(plan: ErasureOut) -> None:
    table = Listing(("rows that name them", "how many", "what becomes of them"), frozenset(("how many",)))
    for name, count in plan.goes.items():
        table.add(name, f"{count:,}", "removed")
    for name, count in plan.stays.items():
        table.add(name, f"{count:,}", "stay, by id")
    show(table, otherwise="No other row names them.")
    for team in plan.teams:
        say(f"Nobody is left in {team.name} ({team.challenge}), which is called {team.becomes} afterwards.")
    for sentence in plan.said:
        say(sentence)
