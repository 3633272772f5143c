"""`python -m worker.run --name run-1`: one run worker with one slot; `python -m worker.run wipe` empties its caches."""

import os
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from evaluator.terminal import CommandGroup, say
from worker.run.bearer import REFUSED
from worker.run.config import RunConfig

app = typer.Typer(cls=CommandGroup, add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="The slot's name, unique among this host's workers.")] = "run",
    engine: Annotated[str | None, typer.Option(help="docker or podman.", envvar="PROCTOR_ENGINE")] = None,
) -> None:
    """Starts a run worker: leases cases over HTTP and runs them in the local container engine.

    Set PROCTOR_SERVER_URL, PROCTOR_WORKER_TOKEN, PROCTOR_WORKER_DIR and REDIS_URL; PROCTOR_SLOT_CPUS,
    PROCTOR_SLOT_MEMORY (bytes), PROCTOR_SLOT_CPUSET and PROCTOR_SLOT_GPU (a UUID) say what the slot offers,
    PROCTOR_ENGINE (docker or podman) what runs containers, PROCTOR_RUNTIME (runc or runsc) under what, and
    PROCTOR_INPUT_CACHE (bytes) how much of hidden inputs the host keeps: 0 is none. PROCTOR_WORKER_TOKEN_FILE names a
    file with the token instead. Exit code 2: a setting is wrong; 3: the server does not take the token.
    """
    if engine is not None:
        os.environ["PROCTOR_ENGINE"] = engine
    if context.invoked_subcommand is None:
        _start(name)


@app.command("wipe")
def wipe_caches(
    folder: Annotated[
        Path,
        typer.Option(
            "--worker-dir", envvar="PROCTOR_WORKER_DIR", help="The folder of this host's run workers."
        ),
    ],
    images: Annotated[bool, typer.Option("--images", help="Participants' images too.")] = False,
) -> None:
    """Removes the inputs of hidden cases that this host's run workers keep, and what killed ones left.

    Exit code 1: the container engine does not answer, so not everything could be removed; 2: there is no such folder.
    """
    from sandbox.faults import EngineFault
    from worker.run.wipe import wipe

    if not folder.is_dir():
        say(
            f"--worker-dir: {folder} is no folder; give the PROCTOR_WORKER_DIR of this host's workers.",
            err=True,
        )
        raise typer.Exit(2)
    try:
        for line in wipe(folder, images=images):
            say(line)
    except EngineFault as fault:
        say(
            f"The container engine does not answer, so the rest stays: {fault}. Start it and run this again.",
            err=True,
        )
        raise typer.Exit(1) from None
    except OSError as error:
        say(
            f"{error.filename or folder}: {error.strerror}. Run this as the user that the workers run as.",
            err=True,
        )
        raise typer.Exit(1) from None


def _start(name: str) -> None:
    os.environ["PROCTOR_SLOT_NAME"] = name
    try:
        config = RunConfig()  # type: ignore[call-arg]  # fields are filled from the environment
        from worker.run.lease_client import offer_of

        offer_of(config, name)
    except ValidationError as error:
        for wrong in error.errors():
            say(f"{_setting(error, wrong['loc'])}: {wrong['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(2) from None
    from worker.run.tasks import (  # reads REDIS_URL, so only after the settings are known to be good
        app,
        runner,
    )

    options = ["--loglevel=INFO", "--without-gossip", "--without-mingle"]
    app.worker_main(
        ["worker", "--pool=threads", "--concurrency=1", *options, f"--hostname={name}@%h", "--queues=run"]
    )
    if runner().refused:  # Celery keeps its exit code to itself
        raise typer.Exit(REFUSED)


def _setting(error: ValidationError, field: tuple[int | str, ...]) -> str:
    """What a person sets who is told of a wrong field of the settings, or of the slot that they make."""
    if not field:
        return "environment"
    if error.title == RunConfig.__name__:
        return "PROCTOR_" + "_".join(str(part) for part in field).upper()
    return "--name" if field[0] == "name" else f"PROCTOR_SLOT_{field[0]}".upper()


if __name__ == "__main__":
    app()
