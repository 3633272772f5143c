"""`python -m worker.run --name run-1`: one run worker with one slot; `python -m worker.run wipe` empties its caches."""

import os
import re
import warnings
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from contract.release import named
from evaluator.terminal import CommandGroup, say
from worker.run.bearer import REFUSED
from worker.run.config import RunConfig
from worker.run.orders import Orders

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smh])")

app = typer.Typer(cls=CommandGroup, add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Option(
            help="The slot's name, unique among this host's workers; in a Slurm job or a pod its stem."
        ),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="docker, podman or apptainer.", envvar="PROCTOR_ENGINE")
    ] = None,
    poll: Annotated[bool, typer.Option("--poll", help="Ask the server for work, without Redis.")] = False,
    until_idle: Annotated[
        str | None, typer.Option(help="End after so long without a case (90s, 10m, 1h); asks the server.")
    ] = None,
    grace: Annotated[
        str | None, typer.Option(help="For how long cases go on after SIGTERM before they are handed back.")
    ] = None,
    slots: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Slots of a Slurm job or pod that has no GPU; else one for each GPU."
        ),
    ] = 1,
    busy: Annotated[Path | None, typer.Option("--slot-of-job", hidden=True)] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Starts a run worker: leases cases over HTTP and runs them in the local container engine.

    Set PROCTOR_SERVER_URL, PROCTOR_WORKER_TOKEN and PROCTOR_WORKER_DIR, and REDIS_URL for wake-ups by the broker:
    without it, or with --poll or --until-idle, the worker asks the server. PROCTOR_SLOT_CPUS,
    PROCTOR_SLOT_MEMORY (bytes), PROCTOR_SLOT_CPUSET and PROCTOR_SLOT_GPU (a UUID) say what the slot offers,
    PROCTOR_ENGINE (docker, podman or apptainer) what runs containers, PROCTOR_RUNTIME (runc or runsc) under what, and
    PROCTOR_INPUT_CACHE (bytes) how much of hidden inputs the host keeps: 0 is none. PROCTOR_WORKER_TOKEN_FILE names a
    file with the token instead. In a Slurm job, and in a pod (docs/kubernetes.md), the slots are those of its
    allocation. Exit code 2: a setting is wrong, or the allocation is smaller than it claims; 3: the server does not
    take the token.
    """
    if version:
        say(named("proctor-run-worker"))
        raise typer.Exit
    if engine is not None:
        os.environ["PROCTOR_ENGINE"] = engine
    if context.invoked_subcommand is None:
        orders = Orders(name, slots, _seconds(until_idle, "--until-idle"), _seconds(grace, "--grace"))
        if orders.grace is not None:
            os.environ["PROCTOR_DRAIN_SECONDS"] = str(orders.grace)
        _start(orders, busy, poll=poll)


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


def _start(orders: Orders, busy: Path | None, *, poll: bool) -> None:
    name = orders.name or "run"
    os.environ["PROCTOR_SLOT_NAME"] = name
    try:
        config = RunConfig()  # type: ignore[call-arg]  # fields are filled from the environment
        from worker.run.offer import offer_of

        offer_of(config, name)
    except ValidationError as error:
        for wrong in error.errors():
            say(f"{_setting(error, wrong['loc'])}: {wrong['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(2) from None
    from worker.run.host import GpuTaken, SlotTaken
    from worker.run.pilot import is_given

    alone = poll or is_given(os.environ) or orders.until_idle is not None or not os.environ.get("REDIS_URL")
    try:
        raise typer.Exit(_without_broker(config, orders, busy) if alone else _with_broker(name))
    except SlotTaken as taken:
        say(f"{taken}. Give this one another --name.", err=True)
    except GpuTaken as taken:
        say(f"{taken}.", err=True)
    raise typer.Exit(2)


def _without_broker(config: RunConfig, orders: Orders, busy: Path | None) -> int:
    from worker.run import alone, pilot
    from worker.run.runner import Runner

    if busy is not None:
        return pilot.run_slot(orders.name or "run", orders, alone.Signals(), busy=busy)
    if pilot.is_given(os.environ):
        return pilot.run(orders, lambda why: say(why, err=True))
    signals = alone.Signals()
    return alone.serve(Runner(config, orders.name or "run"), alone.Terms(orders.until_idle), signals)


def _with_broker(name: str) -> int:
    from worker.run.tasks import (  # reads REDIS_URL, so only after the settings are known to be good
        app,
        runner,
    )

    slot = runner()  # now: Celery goes on where one of its signals' receivers fails
    # Root is what output disks with a hard limit need here; Celery would advise against it.
    warnings.filterwarnings("ignore", "You're running the worker with superuser privileges")
    options = ["--loglevel=INFO", "--without-gossip", "--without-mingle"]
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            "--concurrency=1",
            *options,
            f"--hostname={name}@%h",
            "--queues=run",
        ]
    )
    return REFUSED if slot.refused else 0  # Celery keeps its exit code to itself


def _seconds(written: str | None, option: str) -> float | None:
    if written is None:
        return None
    found = _SPAN.fullmatch(written.strip())
    if found is None:
        say(f"{option}: {written!r} is no span of time; write 90s, 10m or 1h.", err=True)
        raise typer.Exit(2)
    return float(found[1]) * _UNITS[found[2]]


def _setting(error: ValidationError, field: tuple[int | str, ...]) -> str:
    """What a person sets who is told of a wrong field of the settings, or of the slot that they make."""
    if not field:
        return "environment"
    if error.title == RunConfig.__name__:
        return "PROCTOR_" + "_".join(str(part) for part in field).upper()
    return "--name" if field[0] == "name" else f"PROCTOR_SLOT_{field[0]}".upper()


if __name__ == "__main__":
    app()
