"""Accounts, log-ins and teams."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlsplit

import typer

from client.api import Client
from client.app import (
    ChallengeOption,
    TeamOption,
    app,
    choose_challenge,
    choose_team,
    chosen,
    connect,
    err,
    out,
    signed_in,
)
from client.errors import ClientError, NotSignedIn, WrongUsage
from client.show import standing_lines
from client.state import (
    StoredLogIn,
    forget_log_in,
    known_device,
    load_log_in,
    remember_device,
    store_log_in,
    stored_log_in,
)
from client.terminal import secret
from evaluator.terminal import agreed, ask, in_line, say_json

teams = typer.Typer(no_args_is_help=True, help="Found a team, invite to it, join one.")
app.add_typer(teams, name="team")

Url = Annotated[
    str, typer.Argument(envvar="PROCTOR_URL", help="The server, such as https://challenge.example")
]
Email = Annotated[str | None, typer.Option(help="Your e-mail address; asked for if left out.")]
Password = Annotated[
    str | None, typer.Option(envvar="PROCTOR_PASSWORD", help="Better left out: it is asked for, unseen.")
]


@app.command()
def login(
    url: Url,
    email: Email = None,
    password: Password = None,
    token: Annotated[
        str | None, typer.Option(envvar="PROCTOR_TOKEN", help="An API token instead of e-mail and password.")
    ] = None,
) -> None:
    """Log in; the token is stored for you alone, the password is not stored."""
    url = _checked(url)
    token_id = None
    if token is None:
        token, token_id = _new_token(url, email, password)
    with connect(url, token) as client:
        account = client.me()
    path = store_log_in(StoredLogIn(url, token, token_id))
    out.print(
        f"Logged in at {url} as {in_line(account.name)} ({in_line(account.email)}). Stored in {path}",
        soft_wrap=True,
    )


def _new_token(url: str, email: str | None, password: str | None) -> tuple[str, str]:
    """An API token, made with a log-in that is then not needed any more."""
    email = email or ask("E-mail")
    password = password or secret("Password")
    with session(url, email, password) as client:
        made = client.create_token(f"proctor on {socket.gethostname()}"[:100])
    return made.token, made.id


@contextmanager
def session(url: str, email: str, password: str) -> Iterator[Client]:
    """A session for as long as it is needed, from a device that the server knows if it was used before."""
    with connect(url) as client:
        opened = client.open_session(email, password, device=known_device(url, email))
    remember_device(url, email, opened.device)
    with connect(url, opened.token) as client:
        try:
            yield client
        finally:
            client.request("DELETE", "/sessions/current")


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongUsage(f"{url!r} is not a server's address.", "Write it as https://challenge.example.")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        err.print(
            "http:// sends your password and token unencrypted; use https:// if you can.", style="yellow"
        )
    return url.rstrip("/")


@app.command()
def logout(
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="End all your sessions and API tokens, on every machine.")
    ] = False,
) -> None:
    """Revoke the token that `login` made and forget it."""
    try:
        log_in = stored_log_in()
    except NotSignedIn:
        out.print("You are not logged in.")
        return
    if everywhere:
        with connect(log_in.url, log_in.token) as client:
            client.log_out_everywhere(and_tokens=True)
    elif log_in.token_id is not None:
        try:
            with connect(log_in.url, log_in.token) as client:
                client.revoke_token(log_in.token_id)
        except ClientError as error:
            err.print(f"The token is forgotten here but could not be revoked: {error.message}")
    forget_log_in()
    out.print("Logged out.")


@app.command()
def register(
    url: Url,
    name: Annotated[str | None, typer.Option(help="Your name; asked for if left out.")] = None,
    email: Email = None,
    password: Password = None,
) -> None:
    """Make an account and log in."""
    url = _checked(url)
    name = name or ask("Name")
    email = email or ask("E-mail")
    password = password or secret("Password", twice=True)
    with connect(url) as client:
        client.register(email, name, password)
    login(url, email, password, None)


@app.command()
def passwd(
    url: Annotated[
        str | None,
        typer.Argument(envvar="PROCTOR_URL", help="The server; else the one you are logged in at."),
    ] = None,
    forgotten: Annotated[
        bool, typer.Option("--forgotten", help="Set a new password with a code from the organizers.")
    ] = False,
    email: Email = None,
    revoke_tokens: Annotated[
        bool,
        typer.Option("--revoke-tokens", help="End your API tokens too, but the one you are logged in with."),
    ] = False,
) -> None:
    """Change your password; both are asked for, unseen. Your other sessions end."""
    if forgotten:
        _set_forgotten(_checked(url or stored_log_in().url), email)
        return
    log_in = load_log_in()
    with connect(_checked(url) if url else log_in.url, log_in.token) as client:
        account = client.me()
        out.print(f"Another password for {account.email}.")
        old = secret("Old password")
        new = secret("New password", twice=True)
        client.change_password(old, new, revoke_tokens=revoke_tokens)
    out.print("Your password is changed, and your other sessions have ended.")


def _set_forgotten(url: str, email: str | None) -> None:
    email = email or ask("E-mail")
    code = secret("Code")
    new = secret("New password", twice=True)
    with connect(url) as client:
        client.reset_password(email, code, new)
    out.print(f"Your password is set. Log in: proctor login {url} --email {email}", soft_wrap=True)


@teams.command("create")
def create_team(name: str, challenge: ChallengeOption = None) -> None:
    """Found a team in a challenge."""
    with signed_in() as client:
        team = client.create_team(choose_challenge(client, challenge).slug, name)
    out.print(
        f"Your team is {team.name} ({team.id}). Invite others with `proctor team invite`.",
        soft_wrap=True,
    )
    for line in standing_lines(team):
        out.print(line, soft_wrap=True)


@teams.command("invite")
def invite(
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    days: Annotated[int | None, typer.Option(help="How long it lasts, up to 30; 7 if left out.")] = None,
) -> None:
    """Print a code with which one more person can join your team."""
    with signed_in() as client:
        slug = choose_challenge(client, challenge).slug
        code = client.invite(choose_team(client, slug, team), days=days)
    dashes = "-- " if code.startswith("-") else ""  # else the shell command would take the code for an option
    out.print(f"proctor team join {dashes}{code}", soft_wrap=True)


@teams.command("invitations")
def invitations(
    revoke: Annotated[
        list[str] | None, typer.Option("--revoke", help="Take back the invitation whose id ends so.")
    ] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
) -> None:
    """List your team's open invitations. They end when whoever made them leaves the team."""
    with signed_in() as client:
        team_id = choose_team(client, choose_challenge(client, challenge).slug, team)
        waiting = client.invitations(team_id)
        for invitation in [chosen(waiting, ending, "open invitation") for ending in revoke or ()]:
            client.revoke_invitation(team_id, invitation.id)
            waiting.remove(invitation)
            err.print(f"{in_line(invitation.id)} is taken back.")
    for invitation in waiting:
        out.print(
            f"{in_line(invitation.id)}  until {invitation.expires_at:%Y-%m-%d %H:%M} UTC", soft_wrap=True
        )
    if not waiting:
        out.print("No invitation is open.")


@teams.command("join")
def join(code: str) -> None:
    """Join a team with the code of an invitation."""
    with signed_in() as client:
        team = client.accept_invitation(code)
    out.print(f"You are in team {in_line(team.name)}.")


@teams.command("show")
def show_team(challenge: ChallengeOption = None, team: TeamOption = None) -> None:
    """Show your team, how it stands and who is in it."""
    with signed_in() as client:
        slug = choose_challenge(client, challenge).slug
        row = client.team(team) if team else client.my_team(slug)
    out.print(f"{in_line(row.name)} ({in_line(row.id)})", soft_wrap=True)
    for line in standing_lines(row):
        out.print(line, soft_wrap=True)
    for member in row.members:
        out.print(f"  {in_line(member.name)}{' (captain)' if member.is_captain else ''}")


@teams.command("leave")
def leave_team(
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Leave your team; only an invitation brings you back. A captain hands over to the longest member."""
    with signed_in() as client:
        slug = choose_challenge(client, challenge).slug
        row = client.team(team) if team else client.my_team(slug)
        if not yes and not agreed(f"Leave team {row.name}?", err=True):
            raise WrongUsage("You are still in the team.")
        client.leave_team(row.id)
    out.print(f"You have left team {row.name}.")


@app.command("export-me")
def export_me() -> None:
    """Print everything that the server keeps of you, as JSON."""
    with signed_in() as client:
        say_json(client.export_me())
