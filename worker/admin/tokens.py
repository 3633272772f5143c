"""`proctor-admin worker-token`: the token that a run worker on another host shows to the server."""

import re
from pathlib import Path
from typing import Annotated

import typer

from server.accounts.service import create_worker_token
from server.database import unit_of_work
from server.tables import open_database
from worker.admin.context import fail, settings_of, work
from worker.admin.platform import Platform

app = typer.Typer()

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,100}")


@app.command("worker-token")
def worker_token(
    name: Annotated[str, typer.Argument(help="The run worker's name.")],
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Print a new token for the run worker NAME; an older one of that name stops working."""
    if not _PLAIN.fullmatch(name):
        fail(f"{name!r} is no name for a run worker: up to 100 letters, digits and the signs - _ .")
    with work(settings_of(data)) as session:
        token = create_worker_token(session, name)
    typer.echo(token)


def local_worker_token(platform: Platform) -> str:
    """The token of the run workers that `up` starts on this machine; the same one at every start."""
    with unit_of_work(open_database(platform.postgres.url(), pool_size=1)) as session:
        return create_worker_token(session, "local", token="prw_" + platform.secret("worker_token_seed"))
