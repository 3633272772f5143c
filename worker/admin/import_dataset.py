"""`proctor-admin import-dataset`: cases in the FOMO layout become the hidden cases of a phase."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from server.challenges.service import get_challenge
from server.datasets.fomo_layout import LayoutError
from server.datasets.service import import_fomo
from server.settings import Settings
from worker.admin.context import ACTOR, fail, settings_of, work

app = typer.Typer()

_SHOWN = 20


@app.command("import-dataset")
def import_dataset(
    folder: Annotated[Path, typer.Argument(help="A Task_N folder in the FOMO layout.")],
    challenge: Annotated[str, typer.Option(help="The challenge's name.")],
    task: Annotated[str, typer.Option(help="The task these cases are for.")],
    phase: Annotated[str, typer.Option(help="The phase these cases are for.")],
    data: Annotated[
        Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Import the cases in FOLDER for a task of a phase.

    Headers are cleaned, labels and groups go to the references tree only. The same cases again change nothing;
    other cases become the phase's new dataset.
    """
    typer.echo(run(settings_of(data), folder, challenge=challenge, task=task, phase=phase))


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def run(settings: Settings, folder: Path, *, challenge: str, task: str, phase: str) -> str:
    """Imports a folder and returns the sentence that says what came of it; ends the command where it cannot."""
    try:
        with work(settings) as session, _progress() as bar:
            shown = bar.add_task(f"{phase} {task}", total=None)
            dataset, new = import_fomo(
                session,
                get_challenge(session, challenge),
                phase=phase,
                task=task,
                source=folder,
                settings=settings,
                actor=ACTOR,
                progress=lambda done, of: bar.update(shown, completed=done, total=of),
            )
            count = len(dataset.cases)
    except LayoutError as error:
        more = len(error.problems) - _SHOWN
        rest = [f"… and {more} more"] if more > 0 else []
        fail("Nothing was imported:\n" + "\n".join(error.problems[:_SHOWN] + rest))
    state = "imported" if new else "unchanged"
    return f"{challenge} {phase} {task}: {state}, {count} cases, {dataset.digest}"
