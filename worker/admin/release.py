"""`proctor-admin release`: the sealed leaderboard of a phase opens to everybody."""

from pathlib import Path
from typing import Annotated

import typer

from server.challenges.service import get_challenge, release
from worker.admin.context import ACTOR, settings_of, work

app = typer.Typer()


@app.command("release")
def release_board(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    phase: Annotated[str, typer.Argument(help="The phase whose leaderboard opens.")],
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Open the sealed leaderboard of PHASE to everybody; there is no way back."""
    with work(settings_of(data)) as session:
        new = release(session, get_challenge(session, challenge), phase, actor=ACTOR)
    typer.echo(f"{challenge} {phase}: {'released' if new else 'was released before'}")
