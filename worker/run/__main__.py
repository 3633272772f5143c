"""`python -m worker.run --name run-1`: one run worker with one slot."""

import os
from typing import Annotated

import typer
from pydantic import ValidationError

from evaluator.terminal import say
from worker.run.bearer import REFUSED
from worker.run.config import RunConfig


def main(
    name: Annotated[str, typer.Option(help="The slot's name, unique among this host's workers.")] = "run",
) -> None:
    """Starts a run worker: leases cases over HTTP and runs them in the local container engine.

    Set PROCTOR_SERVER_URL, PROCTOR_WORKER_TOKEN, PROCTOR_WORKER_DIR and REDIS_URL; PROCTOR_SLOT_CPUS,
    PROCTOR_SLOT_MEMORY (bytes), PROCTOR_SLOT_CPUSET and PROCTOR_SLOT_GPU (a UUID) say what the slot offers, and
    PROCTOR_RUNTIME (runc or runsc) what every container runs under. PROCTOR_WORKER_TOKEN_FILE names a file with the
    token instead. Exit code 2: a setting is wrong; 3: the server does not take the token.
    """
    os.environ["PROCTOR_SLOT_NAME"] = name
    try:
        RunConfig()  # type: ignore[call-arg]  # fields are filled from the environment
    except ValidationError as error:
        for one in error.errors():
            field = (
                "PROCTOR_" + "_".join(str(part) for part in one["loc"]).upper()
                if one["loc"]
                else "environment"
            )
            say(f"{field}: {one['msg'].removeprefix('Value error, ')}", err=True)
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


if __name__ == "__main__":
    typer.run(main)
