"""`proctor-admin release`: the sealed leaderboard of a phase opens to everybody."""

from pathlib import Path
from typing import Annotated

import typer

from server.challenges.service import get_challenge, is_sealed, release
from worker.admin.context import ACTOR, make_sure, settings_of, work

app = typer.Typer()


@app.command("release")
def release_board(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    phase: Annotated[str, typer.Argument(help="The phase whose leaderboard opens.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Open the sealed leaderboard of PHASE to everybody; there is no way back, so it asks first."""
    with work(settings_of(data)) as session:
        found = get_challenge(session, challenge)
        if is_sealed(found, phase):
            make_sure(
                f"{challenge} {phase}: everybody will see this leaderboard; there is no way back.", yes=yes
            )
        release(session, found, phase, actor=ACTOR)
    typer.echo(f"{challenge} {phase}: released")
