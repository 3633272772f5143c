"""`proctor-admin people`, `create-admin` and `reset-password`: who has an account, and who cannot get in any more."""

import getpass
import sys
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from contract.accounts import Email, Password
from contract.admin import PersonOut
from evaluator.terminal import say
from server.accounts import access, hashing, passwords, registration, service
from server.accounts.models import Account
from server.accounts.schemas import Name
from server.admin.workers import revoke_made_by
from server.closing import service as closing
from server.settings import Settings
from server.words import words
from worker.admin.api import api
from worker.admin.context import ACTOR, fail, make_sure, settings_of, work
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()
Mail = Annotated[str, typer.Argument(metavar="MAIL", help="The person's e-mail address.")]


@app.command("people")
def list_people(
    find: Annotated[str | None, typer.Argument(help="Only those with this in their address or name.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/users answers, all pages.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Everybody with an account: address, name, teams, and when they were last seen."""
    with api(server=server, data=data) as here:
        persons = here.listed("/admin/users", PersonOut, find=find).items
    if as_json:
        show_json([person.model_dump(mode="json") for person in persons])
        return
    table = Listing(("mail", "name", "admin", "teams", "last seen (UTC)", "since (UTC)", "closed (UTC)"))
    for person in persons:
        teams = ", ".join(f"{team.name} ({team.challenge})" for team in person.teams)
        admin = "admin" if person.is_admin else ""
        closed = moment(person.closed_at) if person.closed_at else ""
        table.add(
            person.email,
            person.name,
            admin,
            teams,
            moment(person.last_seen),
            moment(person.created_at),
            closed,
        )
    show(table, otherwise="Nobody has an account." if find is None else f"Nobody has {find!r} in their name.")


@app.command("create-admin")
def create_admin(
    mail: Mail,
    name: Annotated[str | None, typer.Option(help="The person's name; else what is before the @.")] = None,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read the password from standard input, not from a terminal."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before an account becomes an admin's.")
    ] = False,
    data: Data = None,
) -> None:
    """Make an account that is an admin's, or make the person who has the account MAIL an admin.

    The password is asked for twice, unseen. An account that exists keeps its password.
    """
    settings = settings_of(data)
    mail = _checked(Email, mail, "address")
    with work(settings) as session:
        known = service.account_with(session, mail)
    if known is not None:
        _promote(settings, known, yes=yes)
        return
    called = _checked(Name, name or mail.partition("@")[0], "name")
    password_hash = hashing.hashed(_new_password(password_stdin))
    with work(settings) as session:
        registration.make_admin(session, email=mail, name=called, password_hash=password_hash, actor=ACTOR)
    say(f"{mail} is an admin now.")


def _promote(settings: Settings, account: Account, *, yes: bool) -> None:
    if account.is_admin:
        say(f"{account.email} is an admin already.")
        return
    make_sure(f"{account.email} ({account.name}) has an account and becomes an admin.", yes=yes)
    with work(settings) as session:
        service.set_admin(session, account.id, is_admin=True, actor=ACTOR)
    say(f"{account.email} is an admin now.")


@app.command("reset-password")
def reset_password(
    mail: Mail,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Print a code with which a person sets a new password; it works once, for 24 hours.

    Their old password, sessions and tokens end at once. You never learn the new password.
    """
    settings = settings_of(data)
    with work(settings) as session:
        account = _account(session, mail)
    make_sure(
        f"The password, the sessions and the tokens of {account.email} ({account.name}) end now.", yes=yes
    )
    with work(settings) as session:
        code, expires_at = passwords.begin_reset(session, account.id, actor=ACTOR)
    say(code)
    say(
        f"{account.email} has until {moment(expires_at)} UTC to type: proctor passwd --forgotten SERVER",
        err=True,
    )


Workers = Annotated[
    bool, typer.Option("--workers", help="End the tokens of run workers that this admin made over HTTP, too.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("revoke-tokens")
def revoke_tokens(mail: Mail, workers: Workers = False, yes: Yes = False, data: Data = None) -> None:
    """End all sessions, API tokens and pending codes of a person, who may log in again with their password."""
    settings = settings_of(data)
    with work(settings) as session:
        account = _account(session, mail)
    make_sure(f"The sessions and the tokens of {account.email} ({account.name}) end now.", yes=yes)
    with work(settings) as session:
        ended = access.revoke_all(session, account.id, actor=ACTOR)
        made = revoke_made_by(session, account.id, actor=ACTOR, settings=settings) if workers else 0
    told = f"{ended.sessions} sessions and {ended.tokens} API tokens of {account.email} ended"
    say(told + (f", and {made} tokens of run workers." if workers else "."))


@app.command("close-account")
def close_account(
    mail: Mail,
    why: Annotated[str | None, typer.Option(help="The reason, for your records.")] = None,
    workers: Workers = False,
    yes: Yes = False,
    data: Data = None,
) -> None:
    """Close an account: what it had in hand ends, the person leaves their teams, what was submitted stays.

    A team whose last member this is keeps them. The address cannot be registered again; reopen-account undoes it.
    """
    settings = settings_of(data)
    with work(settings) as session:
        account = _account(session, mail)
    make_sure(f"The account of {account.email} ({account.name}) is closed now.", yes=yes)
    with work(settings) as session:
        closing.close_account(session, account.id, actor=ACTOR, why=why)
        if workers:
            revoke_made_by(session, account.id, actor=ACTOR, settings=settings)
    say(f"The account of {account.email} is closed.")


@app.command("reopen-account")
def reopen_account(mail: Mail, data: Data = None) -> None:
    """Open a closed account again: the person logs in with their password, and has to be invited to teams anew."""
    with work(settings_of(data)) as session:
        account = closing.reopen_account(session, _account(session, mail).id, actor=ACTOR)
        say(f"The account of {account.email} is open again.")


def _account(session: Session, mail: str) -> Account:
    account = service.account_with(session, mail)
    if account is None:
        fail(f"Nobody has an account with the address {mail}; 'proctor-admin people' shows everybody.")
    return account


def _new_password(from_stdin: bool) -> str:
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        fail(
            "There is no terminal to ask for the password. Give --password-stdin, and the password on a line."
        )
    else:
        given = getpass.getpass("Password: ")
        if getpass.getpass("The same again: ") != given:
            fail("The two passwords differ. Nothing was changed.")
    return _checked(Password, given, "password")


def _checked(kind: object, value: str, what: str) -> str:
    try:
        checked: str = TypeAdapter(kind).validate_python(value)  # type: ignore[arg-type]
    except ValidationError as error:
        said = words(error.errors()[0])
        fail(f"This is no {what} that an account can have: {said[0].lower()}{said[1:]}. Nothing was changed.")
    return checked
