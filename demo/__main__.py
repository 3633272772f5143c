"""`make demo`: the whole platform with synthetic data, from upload to leaderboard."""

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from client.api import Client
from client.boards import leaderboard_tables
from client.errors import ClientError
from client.show import status_word
from contract.statuses import EvaluationStatus
from demo.data import TASKS, make_datasets
from demo.entries import build_entries
from demo.images import BaseUnavailableError
from demo.installation import DemoError, Installation, installation
from demo.live import Running, watch
from demo.people import CHALLENGE, LogIn, TeamEntry, join, make_admin, submit, upload
from demo.stages import Stages
from server.settings import Settings
from worker.admin.apply import run as apply
from worker.admin.context import settings_of
from worker.admin.import_dataset import run as import_dataset
from worker.embedded.data import CHECKOUT

PHASES = ("validation", "sanity")
_ENDED = "Stopped; everything it started has ended."


def main(
    leave: Annotated[bool, typer.Option("--exit", help="End after the leaderboards are printed.")] = False,
    port: Annotated[int, typer.Option(help="Port of the server; 0 takes a free one.")] = 0,
    spacing: Annotated[float, typer.Option(help="Voxel size of the synthetic brains in mm: 2 or 1.")] = 2.0,
) -> None:
    """Run the whole platform on this machine with synthetic data, and show the leaderboards."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything is stopped then too
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    stages = Stages(console)
    try:
        with ThreadPoolExecutor(4) as pool:
            data = pool.submit(_datasets, stages, spacing)
            entries = pool.submit(_entries, stages)
            with installation(port, stages) as place:
                people = _show(console, stages, place, pool, data, entries)
                if not leave:
                    _serve(console, place, people)
        if not leave:
            console.print(_ENDED)
    except (DemoError, ClientError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    except (BaseUnavailableError, subprocess.CalledProcessError) as error:
        console.print(f"The demo's images or data could not be made: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print(_ENDED)
        raise typer.Exit(130) from None


def _datasets(stages: Stages, spacing: float) -> dict[str, dict[str, Path]]:
    with stages.stage("hidden brain MRI of six tasks"):
        return {phase: make_datasets(phase, spacing_mm=spacing) for phase in PHASES}


def _entries(stages: Stages) -> list[TeamEntry]:
    with stages.stage("container images: baseline, skeleton, four teams, one broken"):
        return build_entries(TASKS)


def _show(
    console: Console,
    stages: Stages,
    place: Installation,
    pool: ThreadPoolExecutor,
    data: "Future[dict[str, dict[str, Path]]]",
    entries: "Future[list[TeamEntry]]",
) -> tuple[LogIn, LogIn]:
    """Everything until the leaderboards; how the admin, and one participant, sign in."""
    settings = settings_of(place.data)
    with stages.stage("challenge applied, admin registered"):
        apply(
            settings, CHECKOUT / "challenges" / CHALLENGE / "challenge.yaml", CHECKOUT / "demo/overlay.yaml"
        )
        admin = make_admin(place)
    imported = pool.submit(_import, stages, settings, data)
    started = entries.result()
    with stages.stage("images uploaded, checked and submitted"):
        running = _submit_all(place, admin.client, started, imported)
    people = (admin.log_in, running[0].participant.log_in)
    _say_where(console, place, *people)
    with stages.stage("every case run, every evaluation scored"):
        watch(console, running)
    _results(console, stages, admin.client, running)
    return people


def _import(stages: Stages, settings: Settings, data: "Future[dict[str, dict[str, Path]]]") -> None:
    folders = data.result()
    with stages.stage("datasets imported"):
        for phase, tasks in folders.items():
            for task, folder in tasks.items():
                import_dataset(settings, folder, challenge=CHALLENGE, task=task, phase=phase, quiet=True)


def _submit_all(
    place: Installation, admin: Client, entries: Sequence[TeamEntry], imported: "Future[None]"
) -> list[Running]:
    def enter(entry: TeamEntry) -> Running:
        participant = join(place, admin, entry)
        images = upload(participant, entry)
        imported.result()  # nothing can be submitted to a phase without cases
        return Running(entry, participant, submit(participant, entry, images))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(enter, entries))


def _results(console: Console, stages: Stages, admin: Client, running: Sequence[Running]) -> None:
    board = admin.leaderboard(CHALLENGE, "validation")
    for table in leaderboard_tables(board):
        console.print(table)
    for entrant in running:
        for evaluation in entrant.submission.evaluations:
            if evaluation.status != EvaluationStatus.SCORED:
                says = (
                    f"{entrant.entry.team}, {evaluation.task}: {status_word(evaluation)}. {evaluation.reason}"
                )
                console.print(says, style="red", markup=False)
    console.print(stages.table())
    console.print(_cases(admin, running))


def _cases(admin: Client, running: Sequence[Running]) -> Table:
    """How long the containers ran, and how long it was from lease to verdict."""
    table = Table(
        title="Case runs",
        caption="Container: process start to exit. Cases overlap: while one runs, the next is made ready "
        "and the last one checked.",
    )
    for column in ("team", "cases", "container, median", "lease to verdict, median"):
        table.add_column(column, justify="left" if column == "team" else "right")
    for entrant in running:
        cases = [
            case
            for evaluation in entrant.submission.evaluations
            for case in admin.request("GET", f"/admin/evaluations/{evaluation.id}/cases?limit=200").json()
            if case["seconds"] is not None
        ]
        if cases:
            container, slot = (
                _median([case["seconds"] for case in cases]),
                _median([case["slot"] for case in cases]),
            )
            table.add_row(entrant.entry.team, str(len(cases)), f"{container:.2f} s", f"{slot:.2f} s")
    return table


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _say_where(console: Console, place: Installation, admin: LogIn, participant: LogIn) -> None:
    console.print(f"\nThe leaderboard:  {place.url}/challenges/{CHALLENGE}/leaderboards/validation")
    console.print(f"The control room: {place.url}/organize/{CHALLENGE}   the installation: {place.url}/admin")
    console.print(f"  sign in as {admin.email}, password {admin.password}", markup=False)
    console.print(f"A participant:    {place.url}/challenges/{CHALLENGE}/mine")
    console.print(f"  sign in as {participant.email}, password {participant.password}", markup=False)
    console.print(f"The API:          {place.url}/docs")
    console.print("For proctor-admin in another terminal, so that it works on this installation:")
    console.print(f"  export PROCTOR_DATA={shlex.quote(str(place.data))}\n", markup=False, soft_wrap=True)


def _serve(console: Console, place: Installation, people: tuple[LogIn, LogIn]) -> None:
    _say_where(console, place, *people)
    console.print("Ctrl-C ends the demo.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Stopping …")


if __name__ == "__main__":
    typer.run(main)
