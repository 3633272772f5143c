"""`proctor-admin verify-address`: whose an address is, on your word or by a code that you send there yourself."""

from typing import Annotated, Any

import typer

from contract.admin import PersonOut
from evaluator.terminal import say
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import AsJson, Data, Server, Yes
from worker.admin.tables import show_json

app = typer.Typer()


@app.command("verify-address")
def verify_address(
    mail: Annotated[str, typer.Argument(metavar="MAIL", help="The person's e-mail address.")],
    code: Annotated[
        bool, typer.Option("--code", help="Print a code to send there by other means, instead of your word.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Count a person's address as verified: on your word, or with --code once they typed what you sent there."""
    with api(server=server, data=data) as here:
        person = person_with(here, mail)
        if code:
            given: dict[str, Any] = here.post(f"/admin/users/{person.id}/address-code")
            if as_json:
                show_json(given)
                return
            say(given["code"])
            say(f"Send it to {person.email}: 'proctor verify-address' takes it for three days.", err=True)
            return
        make_sure(f"{person.email} is {person.name}'s address, on your word.", yes=yes)
        here.post(f"/admin/users/{person.id}/address-verification")
    if as_json:
        show_json({"email": person.email, "verified": True})
    else:
        say(f"{person.email} is verified.")


def person_with(here: Api, mail: str) -> PersonOut:
    """The person of an address; ends the command where there is none."""
    wanted = mail.strip().lower()
    found = [
        person
        for person in here.listed("/admin/users", PersonOut, find=wanted).items
        if person.email == wanted
    ]
    if not found:
        fail(f"Nobody has an account with the address {mail}; 'proctor-admin people' shows everybody.")
    return found[0]
