"""`python -m worker.score --name score-1`: one score worker."""

import os
import warnings
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from contract.wakeups import SCORE_QUEUE, SCORES_QUEUE
from evaluator.terminal import say
from server.errors import Conflict


def main(
    name: Annotated[str, typer.Option(help="This worker's name, unique on its host.")] = "score",
    challenges: Annotated[
        str | None,
        typer.Option(
            help="Score these alone, with commas between them: those whose references this host has.",
            envvar="PROCTOR_SCORES_CHALLENGES",
        ),
    ] = None,
    alive: Annotated[
        Path | None,
        typer.Option(help="Touch this file every five seconds while it works, for a health check."),
    ] = None,
) -> None:
    """Starts a score worker: checks uploads, scores evaluations, puts expired leases back.

    Set DATABASE_URL, REDIS_URL, PROCTOR_DATA and PROCTOR_SECRET_KEY. Never run it where containers run.
    """
    os.environ["PROCTOR_SCORES_CHALLENGES"] = challenges or ""
    from celery.platforms import SecurityWarning

    from worker.score import tasks  # reads REDIS_URL
    from worker.score.alive import show_life

    os.environ[tasks.NAME] = name
    try:
        tasks.settings()
        tasks.require_secret_key()
    except ValidationError as error:
        for wrong in error.errors():
            say(f"{_setting(wrong['loc'])}: {wrong['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(2) from None
    except Conflict as problem:
        say(f"{problem.detail} Set PROCTOR_SECRET_KEY to it again.", err=True)
        raise typer.Exit(2) from None

    options = ["--loglevel=INFO", "--without-gossip", "--without-mingle", f"--concurrency={tasks.threads()}"]
    queues = f"--queues={SCORE_QUEUE},{SCORES_QUEUE}"
    if alive is not None:
        show_life(tasks.app, alive)
    # As root it says that pickled messages would be dangerous; ours are JSON alone.
    warnings.simplefilter("ignore", SecurityWarning)
    # Its banner is drawn for a terminal, and our own first line says more.
    tasks.app.worker_main(["--quiet", "worker", "--pool=threads", *options, f"--hostname={name}@%h", queues])


def _setting(field: tuple[int | str, ...]) -> str:
    """The variable that a field of the settings comes from."""
    if not field:
        return "environment"
    first = str(field[0])
    return first if first.isupper() else f"PROCTOR_{first.upper()}"


if __name__ == "__main__":
    typer.run(main)
