"""What one has in hand: API tokens, sessions and identities, made, listed and ended; and closing one's account."""

from contextlib import AbstractContextManager
from typing import Annotated

import typer

from client.api import Client
from client.app import app, chosen, err, out, signed_in
from client.commands.account import Password, session, through
from client.commands.providers import awaited, machine
from client.errors import WrongUsage
from client.state import forget_log_in, load_log_in
from client.terminal import secret
from contract.accounts import AccountOut, OpenSession, Scope, TokenOut
from evaluator.terminal import agreed, in_line

tokens = typer.Typer(no_args_is_help=True, help="Make, list and revoke API tokens.")
app.add_typer(tokens, name="token")


@tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for, such as ci.")],
    days: Annotated[
        int | None, typer.Option(help="How long it lasts; until it is revoked if left out.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may look, and change nothing.")] = False,
    scopes: Annotated[
        list[Scope] | None,
        typer.Option(
            "--scope",
            help="What it may beside reading, as often as needed: submit, if nothing is said; organize, to decide in "
            "challenges that you organize; admin.",
        ),
    ] = None,
    password: Password = None,
) -> None:
    """Print a new API token, which outlives this log-in.

    Your password is asked for: a token that was made with another ends with it.
    """
    if read_only and scopes:
        raise WrongUsage("--read-only and --scope exclude each other.")
    wanted = (Scope.READ,) if read_only else tuple(scopes or (Scope.READ, Scope.SUBMIT))
    with signed_in() as client:
        email = client.me().email
    with _by_password(email, password) as client:
        made = client.create_token(name, wanted, days=days)
    out.print(made.token, soft_wrap=True)
    err.print(
        "It is shown this once. `proctor token list` shows that it exists, `proctor token revoke` ends it."
    )


def _by_password(email: str, password: str | None) -> AbstractContextManager[Client]:
    """A session at the server that one is logged in to."""
    return session(load_log_in().url, email, password or secret(f"Password of {in_line(email)}"))


@tokens.command("list")
def list_tokens() -> None:
    """List your API tokens. One that was made with another ends with it."""
    with signed_in() as client:
        listed = client.tokens()
    for token in listed:
        ends = f"until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else "until it is revoked"
        made = f", made with {in_line(token.parent_id)}" if token.parent_id else ""
        scopes = in_line(", ".join(token.scopes))
        out.print(
            f"{in_line(token.id)}  {in_line(token.name)}  ({scopes}) {ends}{made}{_last_use(token)}",
            soft_wrap=True,
        )
    if not listed:
        out.print("You have no API token.")


@tokens.command("revoke")
def revoke(
    ids: Annotated[list[str], typer.Argument(help="Ids, or how they end, as the list shows them.")],
) -> None:
    """End API tokens, and those that were made with them."""
    with signed_in() as client:
        listed = client.tokens()
        for token in [chosen(listed, ending, "API token of yours") for ending in ids]:
            client.revoke_token(token.id)
            out.print(f"{in_line(token.name)} ({in_line(token.id)}) is revoked.", soft_wrap=True)


@app.command("identities")
def identities(
    link: Annotated[
        str | None, typer.Option("--link", metavar="PROVIDER", help="Link another one to your account.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help="Take away the one whose id ends so.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--with", metavar="PROVIDER", help="To link one: log in through this, not by password."),
    ] = None,
    password: Password = None,
) -> None:
    """List your identities at providers, with which you log in to this account; link one, or take one away."""
    with signed_in() as client:
        if link is not None:
            _link(link, client.me(), provider, password)
        listed = client.identities()
        for identity in [chosen(listed, ending, "identity of yours") for ending in remove or ()]:
            client.remove_identity(identity.id)
            listed.remove(identity)
    for identity in listed:
        email = f" ({in_line(identity.email)})" if identity.email else ""
        out.print(
            f"{in_line(identity.id)}  {in_line(identity.provider)}  {in_line(identity.subject)}{email}",
            soft_wrap=True,
        )
    if not listed:
        out.print("No identity is linked to your account.")


def _link(wanted: str, account: AccountOut, provider: str | None, password: str | None) -> None:
    fresh = through(load_log_in().url, provider) if provider else _by_password(account.email, password)
    with fresh as client:
        if client.me().id != account.id:
            told = (
                f"{in_line(provider or '')} let you into another account than the one you are logged in to."
            )
            raise WrongUsage(told, "Nothing was linked. Log in to the account that is meant.")
        awaited(client, client.begin_linking(wanted, machine()))


@app.command("sessions")
def sessions(
    end: Annotated[list[str] | None, typer.Option("--end", help="End the session whose id ends so.")] = None,
) -> None:
    """List where you are logged in, and when and from where that was used; `logout --everywhere` ends all of it."""
    with signed_in() as client:
        listed = client.sessions()
        for token in [chosen(listed, ending, "session of yours") for ending in end or ()]:
            client.end_session(token.id)
            listed.remove(token)
    for token in listed:
        ends = f", until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else ""
        since = f"since {token.created_at:%Y-%m-%d %H:%M} UTC"
        out.print(f"{in_line(token.id)}  {since}{ends}{_last_use(token)}", soft_wrap=True)
    if not listed:
        out.print(
            "You have no session beside your API tokens, as `proctor login` makes one: `proctor token list`."
        )


def _last_use(token: TokenOut | OpenSession) -> str:
    if token.last_used_at is None:
        return ""
    where = f" from {in_line(token.network)}" if token.network else ""
    return f", last used {token.last_used_at:%Y-%m-%d %H:%M} UTC{where}"


@app.command("close-account")
def close_account(
    password: Password = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Close your account: you leave your teams, and all that lets you in ends. What your team submitted stays."""
    with signed_in() as client:
        email = client.me().email
        if not yes and not agreed(f"Close the account of {email} for good?", err=True):
            raise WrongUsage("Your account is still open.")
        client.close_account(password or secret(f"Password of {in_line(email)}"))
    forget_log_in()
    out.print("Your account is closed. Only the organizers can open it again.")
