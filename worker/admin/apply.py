"""`proctor-admin apply`: a challenge file becomes the present version of its challenge."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluator.spec import SpecError, load_challenge
from server.challenges import service
from server.settings import Settings
from worker.admin.context import ACTOR, fail, settings_of, work

app = typer.Typer()


@app.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="The challenge file.")],
    overlay: Annotated[Path | None, typer.Option(help="A site's settings, merged over the file.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Make FILE the present version of its challenge. The same file again changes nothing."""
    Console(highlight=False, soft_wrap=True).print(run(settings_of(data), file, overlay))


def run(settings: Settings, file: Path, overlay: Path | None) -> str:
    """Applies a challenge file and returns the sentence that says what came of it; ends the command where it cannot."""
    try:
        spec = load_challenge(file, overlay)
    except SpecError as error:
        fail(str(error))
    with work(settings) as session:
        _, changed = service.apply(session, spec, actor=ACTOR)
    return f"{spec.challenge}: {'applied' if changed else 'unchanged'}, version {spec.digest}"
