"""`proctor-admin organizers`, `name-organizer` and `remove-organizer`: who decides in a challenge, and who looks on."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from contract.organizers import Role
from evaluator.terminal import say
from worker.admin.api import Api, Refused, api
from worker.admin.context import fail, make_sure
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, show, show_json

app = typer.Typer()
Challenge = Annotated[str, typer.Argument(help="The challenge's name.")]
Mail = Annotated[str, typer.Argument(metavar="MAIL", help="The person's e-mail address.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("organizers")
def list_organizers(
    challenge: Challenge,
    as_json: Annotated[
        bool, typer.Option("--json", help="As GET /organize/{slug}/organizers answers.")
    ] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Who organizes a challenge, and who may look at all of it; admins may do both in every one."""
    with api(server=server, data=data) as here:
        people = _people(here, challenge)
    if as_json:
        show_json(people)
        return
    table = Listing(("mail", "name", "role", "team", "named by", "since (UTC)"))
    for person in people:
        since = person["created_at"][:16].replace("T", " ")
        names = (person[field] or "" for field in ("email", "name", "role", "team"))
        table.add(*names, person.get("named_by_name") or person["named_by"], since)
    show(table, otherwise=f"Nobody but admins organizes {challenge}.")


@app.command("name-organizer")
def name_organizer(
    challenge: Challenge,
    mail: Mail,
    observer: Annotated[
        bool, typer.Option("--observer", help="They may see everything of the challenge, and change nothing.")
    ] = False,
    yes: Yes = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Let a person decide in a challenge, or with --observer look at all of it; it says what that means and asks."""
    role = Role.OBSERVER if observer else Role.ORGANIZER
    wanted = {"email": mail, "role": role}
    with api(server=server, data=data) as here:
        try:
            here.put(_path(challenge), wanted)
        except Refused as refused:
            if refused.code != "needs_confirmation":
                raise
            make_sure(str(refused).removesuffix(" Confirm it to go on."), yes=yes)
            here.put(_path(challenge), wanted | {"yes": True})
    say(f"{mail} is {'an observer' if observer else 'an organizer'} of {challenge}.")


@app.command("remove-organizer")
def remove_organizer(
    challenge: Challenge, mail: Mail, yes: Yes = False, server: Server = None, data: Data = None
) -> None:
    """Take the role in a challenge away from an organizer or observer; it asks first."""
    with api(server=server, data=data) as here:
        people = _people(here, challenge)
        named = [person for person in people if person["email"] == mail.strip().lower()]
        if not named:
            fail(f"{mail} has no role in {challenge}; 'proctor-admin organizers {challenge}' shows who has.")
        (person,) = named
        make_sure(_what_ends(challenge, person, people), yes=yes)
        here.delete(f"{_path(challenge)}/{person['id']}")
    say(f"{person['email']} is no {person['role']} of {challenge} any more.")


def _people(here: Api, challenge: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.get(_path(challenge))
    return found


def _path(challenge: str) -> str:
    return f"/organize/{quote(challenge, safe='')}/organizers"


def _what_ends(challenge: str, person: dict[str, Any], people: list[dict[str, Any]]) -> str:
    """What taking a role away means, in a sentence or two."""
    said = f"{person['name']} ({person['email']}) is no {person['role']} of {challenge} any more."
    left = [other for other in people if other["role"] == Role.ORGANIZER and other is not person]
    alone = person["role"] == Role.ORGANIZER and not left
    return f"{said} Nobody but admins organizes it then." if alone else said
