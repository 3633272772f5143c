"""`proctor-admin worker-token`: the token that a run worker on another host shows to the server."""

import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contract.accounts import DEFAULT_SLOTS
from evaluator.terminal import say
from server.accounts.tokens import LOCAL, create_worker_token
from server.database import unit_of_work
from server.tables import open_database
from worker.admin.context import ACTOR, fail, settings_of, work
from worker.admin.options import Data
from worker.admin.tables import show_json
from worker.embedded.data import secret, store_secret, token_file, write_closed

if TYPE_CHECKING:  # what `up` needs takes as long to import as the rest of this command
    from worker.admin.platform import Platform

app = typer.Typer()

_SEED = "worker_token_seed"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,100}")


@app.command("worker-token")
def worker_token(
    name: Annotated[str, typer.Argument(help="The run worker's name.")],
    slots: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Slots it may have at once; else as many as before, or 64."),
    ] = None,
    pilot: Annotated[
        bool,
        typer.Option("--pilot", help="Say what jobs of a cluster are told, which have no use for Redis."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The token and the settings as JSON.")] = False,
    data: Data = None,
) -> None:
    """Print a new token for the run worker NAME, and what its host is told; an older token of that name ends.

    The workers that 'up' has started are named 'local' and go on with the new one by themselves.
    """
    if not _PLAIN.fullmatch(name):
        fail(f"{name!r} is no name for a run worker: up to 100 letters, digits and the signs - _ .")
    settings = settings_of(data)
    own = name == LOCAL and "DATABASE_URL" not in os.environ
    token = _new_local_token(settings.data) if own else None
    with work(settings) as session:
        token = create_worker_token(session, name, token=token, slots=slots, actor=ACTOR)
    known = _settings(settings.data, token, pilot=pilot)
    if as_json:
        show_json({"name": name, "token": token, "settings": known})
        return
    say(token)
    if own:
        say(
            "The run workers of this machine read it from their file and go on; those that had left return "
            "within a minute.",
            err=True,
        )
    else:
        say(_told_jobs(known) if pilot else _told(name, known), err=True)


def _new_local_token(data: Path) -> str:
    """A token that later starts of `up` find again; its file comes first, so that workers never read an older one."""
    store_secret(data, _SEED, secrets.token_urlsafe(32))
    return _written(data)


def _written(data: Path) -> str:
    token = "prw_" + secret(data, _SEED)
    write_closed(token_file(data), token)
    return token


def _settings(data: Path, token: str, *, pilot: bool) -> dict[str, str]:
    """What a run worker is told, as far as this installation knows it; everybody on a cluster may read its jobs."""
    server = {"PROCTOR_SERVER_URL": _line(data / "address") or "http://SERVER:8426"}
    if pilot:
        return server | {
            "PROCTOR_WORKER_TOKEN_FILE": "/FOLDER/OF/YOURS/token",
            "PROCTOR_WORKER_DIR": "/local/proctor",
        }
    return server | {
        "PROCTOR_WORKER_TOKEN": token,
        "PROCTOR_WORKER_DIR": "/var/lib/proctor-worker",
        "REDIS_URL": _redis_url(data),
    }


def _redis_url(data: Path) -> str:
    """Redis' address; its port stays the same from one start of `up` to the next."""
    if "DATABASE_URL" in os.environ or not (data / "redis.port").is_file():
        return os.environ.get("REDIS_URL", "redis://USER:PASSWORD@SERVER:6379/0")
    from worker.embedded.redis import Redis

    host = _line(data / "redis.address").rpartition(":")[0] or "127.0.0.1"
    return Redis(data, host).url


def _told(name: str, known: dict[str, str]) -> str:
    lines = [
        "",
        f"On the host of {name}, where the container engine is, with the server's address in place of any 127.0.0.1:",
        "",
        *(f"  export {key}='{value}'" for key, value in known.items()),
        f"  python -m worker.run --name {name}",
        "",
        "It has to reach the server and Redis; without REDIS_URL it asks the server alone. 'up' lets other hosts in",
        "with --host and --redis-host, on an address of this machine in a network that you trust; else tunnel both",
        "ports with ssh -L.",
    ]
    return "\n".join(lines)


def _told_jobs(known: dict[str, str]) -> str:
    lines = [
        "",
        "Put the token into a file that only the jobs' user may read, on a disk of all nodes. A job is told, with",
        "the address at which the nodes reach the server:",
        "",
        *(f"  export {key}='{value}'" for key, value in known.items()),
        "  exec python -m worker.run --until-idle 10m",
        "",
        "Its slots are named after its node: give no --name. docs/operations.md, 'On a Slurm cluster', has the script.",
    ]
    return "\n".join(lines)


def _line(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""


def local_worker_token(platform: "Platform") -> None:
    """Sees to it that the run workers that `up` starts have a token; the same one at every start."""
    token = _written(platform.data)
    sessions = open_database(platform.postgres.url(), pool_size=1)
    try:
        with unit_of_work(sessions) as session:
            slots = max(DEFAULT_SLOTS, platform.run_workers)
            known = create_worker_token(session, LOCAL, token=token, slots=slots)
        if known != token:  # it was revoked, and does not come back
            store_secret(platform.data, _SEED, known.removeprefix("prw_"))
            _written(platform.data)
    finally:
        sessions.kw["bind"].dispose()
