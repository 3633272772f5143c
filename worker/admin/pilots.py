"""`proctor-admin pilots`: as many jobs of a cluster as the queue deserves."""

import signal
import threading
import tomllib
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from contract.queue import DemandOut, SlotOut
from evaluator.terminal import say, say_json
from server.words import words
from worker.admin.api import api
from worker.admin.context import fail
from worker.admin.options import AsJson, Data, Server
from worker.pilots.keeping import Round, act, counted, look
from worker.pilots.settings import PilotSettings, span
from worker.pilots.slurm import Slurm, SlurmError

app = typer.Typer()


@app.command("pilots")
def keep_pilots(
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Of a Slurm cluster, by sbatch, squeue and scancel.")
    ] = False,
    most: Annotated[int, typer.Option(min=0, max=1000, help="Never more jobs than so many.")] = 4,
    config: Annotated[Path | None, typer.Option(help="TOML file that says what a job is.")] = None,
    worker: Annotated[str | None, typer.Option(help="The name of the token that the jobs use.")] = None,
    account: Annotated[str | None, typer.Option(help="Slurm account.")] = None,
    partition: Annotated[str | None, typer.Option(help="Partition.")] = None,
    time: Annotated[str | None, typer.Option(help="Time limit of a job: 8h, 2d.")] = None,
    gres: Annotated[str | None, typer.Option(help="GPUs of a job: gpu:2, gpu:a100:1.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="Another option of sbatch; more than once.")
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="The time in which the queue is to be worked off: 1h.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Look and act once, for cron or a systemd timer.")
    ] = False,
    every: Annotated[str, typer.Option(help="How often to look: 60s.")] = "60s",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the batch script and what would be done.")
    ] = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Keep as many jobs of a cluster as the queue deserves: submits what is missing, cancels what idles.

    A job is a run worker that ends by itself when nothing waits. Run this where jobs are submitted, as yourself, with
    --server and in PROCTOR_TOKEN an admin's token; it goes on until Ctrl-C or SIGTERM, and leaves the jobs as they are.
    Only jobs of its own name and user are looked at. Exit code 1: with --once, something could not be asked or done.
    """
    if not slurm:
        fail("Give --slurm: no other batch system is known.")
    changes: dict[str, Any] = {
        "worker": worker,
        "account": account,
        "partition": partition,
        "time": time,
        "gres": gres,
        "options": option or None,
        "within": within,
    }
    settings = _settings(config, changes)
    pause = _pause(every)
    one_round = partial(_one_round, settings, most, server, data, dry_run=dry_run, as_json=as_json)
    if once or dry_run:
        raise typer.Exit(1 if one_round() else 0)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        one_round()
        stop.wait(pause)


def _one_round(
    settings: PilotSettings, most: int, server: str | None, data: Path | None, *, dry_run: bool, as_json: bool
) -> bool:
    """Whether something could not be asked or done, which is said; the next round tries again."""
    if dry_run and not as_json:
        say(settings.script())
    try:
        with api(server=server, data=data) as here:
            asked = DemandOut.model_validate(
                here.get("/admin/queue/demand", **settings.offer, besides=settings.worker)
            )
            slots = [SlotOut.model_validate(slot) for slot in here.get("/admin/slots")]
        cluster = Slurm(settings.name)
        jobs, decision = look(cluster, asked, slots, settings, most=most)
        begun = [] if dry_run else act(cluster, decision, settings)
    except typer.Exit:
        return True  # `api` has said why
    except SlurmError as error:
        say(str(error), err=True)
        return True
    done = Round(asked, counted(jobs), decision, begun)
    if as_json:
        say_json(done.told())
    else:
        _say(done, dry_run=dry_run)
    return False


def _say(done: Round, *, dry_run: bool) -> None:
    asked, decision, jobs = done.demand, done.decision, done.jobs
    others = f"; other slots for them: {asked.slots}" if asked.slots else ""
    say(
        f"Cases without a verdict: {asked.cases:,} ({asked.slot_seconds / 3600:.1f} h of a slot){others}. "
        f"Jobs deserved: {decision.wanted}; running: {jobs['running']}, waiting: {jobs['waiting']}."
    )
    would = "would be " if dry_run else ""
    if decision.new:
        numbers = f": {', '.join(map(str, done.begun))}" if done.begun else ""
        say(f"{decision.new} {would}submitted{numbers}.")
    for which, why in (
        (decision.superfluous, "superfluous"),
        (decision.idle, "running, but no slot of its node is there"),
    ):
        if which:
            say(f"{', '.join(map(str, which))} {would}cancelled: {why}.")
    if decision.note:
        say(decision.note, err=True)


def _settings(config: Path | None, changes: dict[str, Any]) -> PilotSettings:
    try:
        return PilotSettings.read(config, **changes)
    except OSError as error:
        fail(f"{config}: {error.strerror}.")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fail(f"{config} is no TOML: {error}")
    except ValidationError as error:
        wrong = error.errors()[0]
        name = ".".join(str(part) for part in wrong["loc"]) or "the settings"
        fail(f"{name}: {words(wrong)}")


def _pause(every: str) -> float:
    try:
        return float(str(span(every)))
    except ValueError as error:
        fail(f"--every: {error}.")
