"""`python -m worker.score --name score-1`: one score worker."""

from typing import Annotated

import typer

from evaluator.terminal import say
from server.errors import Conflict


def main(name: Annotated[str, typer.Option(help="This worker's name.")] = "score") -> None:
    """Starts a score worker: checks uploads, scores evaluations, puts expired leases back.

    Set DATABASE_URL, REDIS_URL, PROCTOR_DATA and PROCTOR_SECRET_KEY. Never run it where containers run.
    """
    from worker.score.tasks import app, require_secret_key  # reads REDIS_URL

    try:
        require_secret_key()
    except Conflict as problem:
        say(f"{problem.detail} Set PROCTOR_SECRET_KEY to it again.", err=True)
        raise typer.Exit(2) from None

    # Threads: a check of 20 GB must not keep a score, or an expired lease, waiting.
    options = ["--loglevel=INFO", "--without-gossip", "--without-mingle"]
    app.worker_main(
        ["worker", "--pool=threads", "--concurrency=4", *options, f"--hostname={name}@%h", "--queues=score"]
    )


if __name__ == "__main__":
    typer.run(main)
