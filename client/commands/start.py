"""`proctor init`: a folder to begin from."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from client.app import app, out
from client.errors import Local, WrongUsage


@app.command("init")
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder to write; it must not be there yet.")
    ],
    task: Annotated[
        str | None,
        typer.Option("--task", "-t", help="A task of the challenge; of FOMO26 if none is named."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Without a challenge: number, classes, segmentation, embedding, points or table.",
        ),
    ] = None,
    challenge: Annotated[
        str | None,
        typer.Option("--challenge", "-c", help="A challenge file, or a slug once you are logged in."),
    ] = None,
    template: Annotated[
        str, typer.Option("--from", metavar="skeleton|baseline", help="What to begin from.")
    ] = "skeleton",
    invoke: Annotated[
        bool, typer.Option("--invoke", help="Have it answer many cases in one process, too.")
    ] = False,
) -> None:
    """Write a program to begin from, with what builds, tests, tries and submits it.

    The skeleton is one short program with a valid answer, for your model to go into. `--from baseline` is the whole
    PyTorch template of FOMO26: one pretrained network for its six tasks, with its training.
    """
    if sys.platform == "win32":
        raise Local(
            "`proctor init` reads challenge files, which needs Linux or macOS.", "On Windows, run it in WSL."
        )
    try:
        from client.begun import begin
    except ModuleNotFoundError as error:  # the client can be installed without what reads images
        if (error.name or "").partition(".")[0] in ("client", "contract", "evaluator"):
            raise
        raise Local(
            f"`proctor init` needs {error.name}.", "Install it with: pip install 'proctor-client[try]'"
        ) from None
    if kind is not None and (task or challenge):
        raise WrongUsage(
            "--kind is for whoever has no challenge yet.", "Leave it out, or --task and --challenge."
        )
    begin(folder, task, kind, challenge, template=template, invoke=invoke)
    out.print(f"Written to {folder}. Go on with its README.md.", soft_wrap=True)
