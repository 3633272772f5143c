"""`proctor-admin import-dataset` and `check-dataset`: cases in the FOMO layout become the cases of a phase."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from contract.events import Subject
from evaluator.terminal import Console, agreed, say
from server.audit.looks import Look, looked
from server.challenges.service import get_challenge
from server.datasets import service
from server.datasets.difference import Difference
from server.datasets.findings import LayoutError
from server.datasets.models import DatasetState
from server.datasets.service import Report, Staged
from server.settings import Settings
from server.versions.effects import effect_of
from server.versions.service import activate, get_version
from worker.admin.context import ACTOR, fail, make_sure, reason_of, settings_of, work
from worker.admin.making import first, noted, warned
from worker.admin.options import Data, Reason, Server
from worker.admin.send_dataset import if_it_comes, send

app = typer.Typer()
Folder = Annotated[Path, typer.Argument(help="A Task_N folder in the FOMO layout.")]
Challenge = Annotated[str, typer.Option(help="The challenge's name.")]
Task = Annotated[str, typer.Option(help="The task these cases are for.")]
Phase = Annotated[str, typer.Option(help="The phase these cases are for.")]


@app.command("import-dataset")
def import_dataset(
    folder: Folder,
    challenge: Challenge,
    task: Task,
    phase: Phase,
    accept: Annotated[bool, typer.Option("--accept", help="The warnings are known, and right.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Also where scored or waiting evaluations are concerned.")
    ] = False,
    why: Reason = None,
    server: Server = None,
    data: Data = None,
) -> None:
    """Import the cases in FOLDER for a task of a phase, and bring them into force.

    Headers are cleaned, labels and groups go to the references tree only. Errors are listed all at once, and nothing is
    imported then; warnings have to be accepted. The same cases again change nothing. Where evaluations are concerned it
    says how many and asks first; until then the cases are staged. With --server the folder is packed and sent there.
    """
    if server is not None:
        place = {"phase": phase, "task": task}
        send(server, folder, challenge, place, accept=accept, yes=yes, why=reason_of(why))
        return
    say(
        run(
            settings_of(data),
            folder,
            challenge=challenge,
            task=task,
            phase=phase,
            accept=accept,
            yes=yes,
            why=reason_of(why),
        )
    )


@app.command("check-dataset")
def check_dataset(folder: Folder, challenge: Challenge, task: Task, phase: Phase, data: Data = None) -> None:
    """Say what import-dataset would say of FOLDER, and import nothing. Exit code 1 where it has errors."""
    settings = settings_of(data)
    with work(settings) as session, _progress() as bar:
        shown = bar.add_task(f"{phase} {task}", total=None)
        found = get_challenge(session, challenge)
        report = service.check(
            session,
            found,
            phase=phase,
            task=task,
            source=folder,
            settings=settings,
            progress=lambda done, of: bar.update(shown, completed=done, total=of),
        )
        looked(session, Subject.CHALLENGE, found.id, Look.NAMES, actor=ACTOR)
    _say(warned(report.warnings) + noted(report.notes) + _changed(report.difference))
    if report.errors:
        fail("This cannot be imported:\n" + "\n".join(first(report.errors)))
    say(f"{challenge} {phase} {task}: {_verdict(report)}")


def _verdict(report: Report) -> str:
    known = {
        DatasetState.ACTIVE: ", and in force already",
        DatasetState.SUPERSEDED: ", an earlier version",
        DatasetState.STAGED: ", and staged already",
        DatasetState.DROPPED: ", an earlier version whose files were dropped",
    }
    there = known[report.known] if report.known else ""
    accept = (
        "; import-dataset wants --accept for the warnings" if report.warnings and not report.known else ""
    )
    return f"{report.cases} cases, nothing wrong{there}{accept}"


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def run(
    settings: Settings,
    folder: Path,
    *,
    challenge: str,
    task: str,
    phase: str,
    accept: bool = False,
    yes: bool = False,
    quiet: bool = False,
    why: str | None = None,
) -> str:
    """Imports a folder and returns the sentence that says what came of it; ends the command where it cannot.

    What is only worth knowing is told on standard error, unless `quiet`.
    """
    what = f"{challenge} {phase} {task}"
    staged = _stage(settings, folder, challenge=challenge, task=task, phase=phase, accept=accept)
    dataset, count = staged.dataset, len(staged.dataset.cases)
    if accept or not staged.new:
        _say(warned(staged.warnings))
    if not quiet:
        _say(noted(staged.notes) + _changed(staged.difference))
    state = dataset.state
    if state is DatasetState.ACTIVE:
        return f"{what}: unchanged, {count} cases, {dataset.digest}"
    with work(settings) as session:
        dataset = get_version(session, dataset.id)
        effect = effect_of(session, dataset)
        earlier = state is DatasetState.SUPERSEDED
        if earlier or effect.touches:
            make_sure(
                if_it_comes(what, dataset.digest, state, count, effect.sentence()),
                yes=yes,
            )
        activate(session, dataset, settings=settings, actor=ACTOR, why=why)
        told = f" ({effect.sentence()})" if effect.touches else ""
    done = "in force again" if earlier else "imported"
    return f"{what}: {done}, {count} cases, {dataset.digest}{told}"


def _stage(
    settings: Settings, folder: Path, *, challenge: str, task: str, phase: str, accept: bool
) -> Staged:
    try:
        with work(settings) as session, _progress() as bar:
            shown = bar.add_task(f"{phase} {task}", total=None)

            def accepted(warnings: tuple[str, ...]) -> bool:
                bar.stop()
                return accept or _asked(warnings)

            staged = service.stage(
                session,
                get_challenge(session, challenge),
                phase=phase,
                task=task,
                source=folder,
                settings=settings,
                actor=ACTOR,
                accept=accepted,
                progress=lambda done, of: bar.update(shown, completed=done, total=of),
            )
            _ = staged.dataset.cases  # read while there is a session
            return staged
    except LayoutError as error:
        _say(warned(error.warnings))
        if error.problems:
            fail("Nothing was imported:\n" + "\n".join(first(error.problems)))
        fail("Nothing was imported: mend what the warnings say, or give --accept if it is meant so.")


def _asked(warnings: tuple[str, ...]) -> bool:
    """Whether a person at a terminal accepts the warnings."""
    if not sys.stdin.isatty():
        return False
    _say(warned(warnings))
    return agreed("Import it all the same?")


def _changed(difference: Difference | None) -> list[str]:
    if difference is None:
        return []
    return ["Against the cases in force: " + ("; ".join(difference.lines()) or "no difference")]


def _say(lines: list[str]) -> None:
    say(*lines, err=True)
