"""`python -m worker.score --name score-1`: one score worker."""

from typing import Annotated

import typer

from evaluator.terminal import say
from server.errors import Conflict


def main(name: Annotated[str, typer.Option(help="This worker's name.")] = "score") -> None:
    """Starts a score worker: checks uploads, scores evaluations, puts expired leases back.

    Set DATABASE_URL, REDIS_URL, PROCTOR_DATA and PROCTOR_SECRET_KEY. Never run it where containers run.
    """
    from worker.score.tasks import app, require_secret_key, threads  # reads REDIS_URL

    try:
        require_secret_key()
    except Conflict as problem:
        say(f"{problem.detail} Set PROCTOR_SECRET_KEY to it again.", err=True)
        raise typer.Exit(2) from None

    options = ["--loglevel=INFO", "--without-gossip", "--without-mingle", f"--concurrency={threads()}"]
    app.worker_main(["worker", "--pool=threads", *options, f"--hostname={name}@%h", "--queues=score"])


if __name__ == "__main__":
    typer.run(main)
