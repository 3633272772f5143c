"""`proctor-admin apply`: a challenge file becomes the present version of its challenge."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluator.spec import Challenge, SpecError, load_challenge
from server.challenges import service
from server.leaderboard.service import hidden_by
from server.settings import Settings
from worker.admin.context import ACTOR, fail, make_sure, settings_of, work

app = typer.Typer()


@app.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="The challenge file.")],
    overlay: Annotated[Path | None, typer.Option(help="A site's settings, merged over the file.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Also where scored evaluations leave their leaderboards.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Make FILE the present version of its challenge. The same file again changes nothing.

    Where scored evaluations would leave their leaderboards, it says how many and asks first.
    """
    Console(highlight=False, soft_wrap=True).print(run(settings_of(data), file, overlay, yes=yes))


def run(settings: Settings, file: Path, overlay: Path | None, *, yes: bool = False) -> str:
    """Applies a challenge file and returns the sentence that says what came of it; ends the command where it cannot."""
    try:
        spec = load_challenge(file, overlay)
    except SpecError as error:
        fail(str(error))
    with work(settings) as session:
        known = service.find_challenge(session, spec.challenge)
        lost = hidden_by(session, known, spec) if known else {}
        if lost:
            make_sure(_loss(spec, lost), yes=yes)
        _, changed = service.apply(session, spec, actor=ACTOR)
    return f"{spec.challenge}: {'applied' if changed else 'unchanged'}, version {spec.digest}"


def _loss(spec: Challenge, lost: dict[str, int]) -> str:
    counts = ", ".join(f"{phase}: {count}" for phase, count in sorted(lost.items()))
    return (
        f"{spec.challenge}: this file runs, scores or ranks otherwise than the present one. Scored evaluations "
        f"that its leaderboards will no longer show: {counts}."
    )
