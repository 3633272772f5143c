"""Accounts, log-ins, passwords and addresses."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from shlex import quote
from typing import Annotated
from urllib.parse import urlsplit

import typer

from client.api import Client
from client.app import (
    app,
    connect,
    err,
    out,
    signed_in,
)
from client.commands.providers import machine, session_through
from client.errors import ClientError, NotSignedIn, WrongUsage
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
from evaluator.terminal import ask, in_line, say_json

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
    provider: Annotated[
        str | None,
        typer.Option("--with", metavar="PROVIDER", help="In a browser, through a provider such as orcid."),
    ] = None,
) -> None:
    """Log in; the token is stored for you alone, the password is not stored."""
    url = _checked(url)
    token_id = None
    if provider is not None:
        with through(url, provider) as client:
            token, token_id = _made(client)
    elif token is None:
        email = email or ask("E-mail")
        with session(url, email, password or secret("Password")) as client:
            token, token_id = _made(client)
    with connect(url, token) as client:
        account = client.me()
    path = store_log_in(StoredLogIn(url, token, token_id))
    out.print(
        f"Logged in at {url} as {in_line(account.name)} ({in_line(account.email)}). Stored in {path}",
        soft_wrap=True,
    )


def _made(client: Client) -> tuple[str, str]:
    """An API token and its id, made with a log-in that is then not needed any more."""
    made = client.create_token(machine())
    return made.token, made.id


@contextmanager
def session(url: str, email: str, password: str) -> Iterator[Client]:
    """A session for as long as it is needed, from a device that the server knows if it was used before."""
    with connect(url) as client:
        opened = client.open_session(email, password, device=known_device(url, email))
    remember_device(url, email, opened.device)
    with _for_once(url, opened.token) as client:
        yield client


@contextmanager
def through(url: str, provider: str) -> Iterator[Client]:
    """A session for as long as it is needed, for whom a provider vouches."""
    with connect(url) as client:
        token = session_through(client, provider)
    with _for_once(url, token) as client:
        yield client


@contextmanager
def _for_once(url: str, token: str) -> Iterator[Client]:
    with connect(url, token) as client:
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
    login(url, email, password)
    with suppress(ClientError), signed_in(mention=False) as client:  # an older server knows no such settings
        settings = client.notice_settings()
        if settings.mail_is_set_up and not settings.address_verified:
            err.print(
                f"A code was mailed to {in_line(email)}: `proctor verify-address` takes it. Until then no mail comes."
            )


@app.command()
def passwd(
    url: Annotated[
        str | None,
        typer.Argument(envvar="PROCTOR_URL", help="The server; else the one you are logged in at."),
    ] = None,
    forgotten: Annotated[
        bool,
        typer.Option("--forgotten", help="Set a new password with a code, which the organizers give out."),
    ] = False,
    mail: Annotated[
        bool, typer.Option("--mail", help="With --forgotten: have a code sent to your address first.")
    ] = False,
    email: Email = None,
    revoke_tokens: Annotated[
        bool,
        typer.Option("--revoke-tokens", help="End your API tokens too, but the one you are logged in with."),
    ] = False,
) -> None:
    """Change your password; both are asked for, unseen. Your other sessions end."""
    if forgotten:
        _set_forgotten(_checked(url or stored_log_in().url), email, mail=mail)
        return
    log_in = load_log_in()
    with connect(_checked(url) if url else log_in.url, log_in.token) as client:
        account = client.me()
        out.print(f"Another password for {account.email}.")
        old = secret("Old password")
        new = secret("New password", twice=True)
        client.change_password(old, new, revoke_tokens=revoke_tokens)
    out.print("Your password is changed, and your other sessions have ended.")


def _set_forgotten(url: str, email: str | None, *, mail: bool) -> None:
    email = email or ask("E-mail")
    with connect(url) as client:
        if mail:
            client.request_reset(email)
            err.print(f"If {email} has an account, a code is on its way. It works for an hour.")
        code = secret("Code")
        client.reset_password(email, code, secret("New password", twice=True))
    out.print(f"Your password is set. Log in: proctor login {url} --email {quote(email)}", soft_wrap=True)


@app.command("verify-address")
def verify_address(
    send: Annotated[
        bool, typer.Option("--send", help="Have another code sent to your address first.")
    ] = False,
) -> None:
    """Show that your address is yours: the code that went to it is asked for."""
    with signed_in() as client:
        email = client.me().email
        if send:
            client.send_verification()
            err.print(f"A code is on its way to {in_line(email)}.")
        client.verify_address(email, secret("Code"))
    out.print(f"{in_line(email)} is verified.")


@app.command("change-address")
def change_address(
    email: Annotated[str, typer.Argument(help="The address that you want to have.")],
    have_code: Annotated[
        bool, typer.Option("--have-code", help="The code is there already, and none is sent.")
    ] = False,
    password: Password = None,
) -> None:
    """Change your e-mail address; a code goes to the new one, and the old one is told."""
    with signed_in() as client:
        if not have_code:
            client.begin_address_change(email, password or secret("Password"))
            err.print(f"A code is on its way to {in_line(email)}. It works for an hour.")
        client.change_address(email, secret("Code"))
    out.print(f"Your address is {in_line(email)} now.")


@app.command("export-me")
def export_me() -> None:
    """Print everything that the server keeps of you, as JSON."""
    with signed_in() as client:
        say_json(client.export_me())
