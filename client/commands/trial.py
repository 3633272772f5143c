"""`proctor try`: whether an image works, on public cases, run as the worker runs it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from client.app import app
from client.errors import Exit, Local


@app.command("try")
def try_image(
    image: Annotated[
        str, typer.Argument(help="A local Docker image, a SIF file, or an archive that `docker save` wrote.")
    ],
    task: Annotated[str, typer.Option("--task", "-t", help="The task to run.")],
    cases: Annotated[Path, typer.Option(help="Public cases: CASE/FILE, or the released Task_N layout.")],
    challenge: Annotated[
        str,
        typer.Option(
            "--challenge",
            "-c",
            envvar="PROCTOR_CHALLENGE",
            help="A challenge file, or a slug once you are logged in.",
        ),
    ],
    overlay: Annotated[Path | None, typer.Option(help="A site's overlay over the challenge file.")] = None,
    track: Annotated[str | None, typer.Option(help="The track; the first one if left out.")] = None,
    first: Annotated[int | None, typer.Option(min=1, help="Only so many cases.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            envvar="PROCTOR_ENGINE", metavar="docker|podman|apptainer", help="What runs it, if not Docker."
        ),
    ] = None,
) -> None:
    """Run an image on public cases of this machine with the worker's own code and limits.

    Nothing is sent to the server. Prints the verdict per case, and the whole log of those that fail.
    Leaves with 0 if every case is valid and with 1 if not.
    """
    if sys.platform != "linux":
        raise Local(
            "`proctor try` holds containers to the workers' limits, which only Linux can.",
            "Run it on a Linux machine, on Windows in WSL; everything else works here.",
        )
    # Containers need what only Linux has, and everything else here is for every system.
    try:
        from client.trying import try_on_cases
    except ModuleNotFoundError as error:  # the client can be installed without what containers need
        if (error.name or "").partition(".")[0] in ("client", "contract", "evaluator", "sandbox"):
            raise
        raise Local(
            f"`proctor try` needs {error.name}.", "Install it with: pip install 'proctor-client[try]'"
        ) from None
    every = try_on_cases(
        image, task, cases, challenge, overlay=overlay, track=track, first=first, engine=engine
    )
    raise typer.Exit(Exit.OK if every else Exit.REJECTED)
