"""`proctor-admin datasets`, `activate-dataset` and `drop-dataset`: the versions of the cases and which is in force."""

from datetime import UTC
from typing import Annotated

import typer

from contract.datasets import DatasetOut
from evaluator.terminal import say
from server.challenges.service import get_challenge
from server.datasets.current import changes_of
from server.datasets.models import Dataset
from server.versions import effects
from server.versions import service as versions
from server.versions.views import dataset_out
from worker.admin.context import ACTOR, fail, make_sure, reason_of, settings_of, work
from worker.admin.options import Data, Reason
from worker.admin.tables import Listing, counted, show, show_json

app = typer.Typer()
Challenge = Annotated[str | None, typer.Option(help="Only of this challenge.")]
Phase = Annotated[str | None, typer.Option(help="Only of this phase.")]
Task = Annotated[str | None, typer.Option(help="Only of this task.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_SHORT = slice(7, 19)


@app.command("datasets")
def show_datasets(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    phase: Phase = None,
    task: Task = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="As GET /admin/challenges/{slug}/datasets answers.")
    ] = False,
    data: Data = None,
) -> None:
    """Every version of a challenge's cases: its labels, who imported it, what ran on it, its size and its state."""
    settings = settings_of(data)
    with work(settings) as session:
        datasets = versions.versions(
            session, get_challenge(session, challenge), phase=phase, task=task, settings=settings
        )
        rows = [dataset_out(dataset) for dataset in datasets]
    if as_json:
        show_json([row.model_dump(mode="json") for row in rows])
    else:
        show(_table(rows), otherwise=f"{challenge} has no cases yet.")


def _table(rows: list[DatasetOut]) -> Listing:
    heads = ("version", "phase", "task", "cases", "labels", "imported (UTC)", "by", "used by", "MB", "state")
    table = Listing(heads, numbers=frozenset({"cases", "used by", "MB"}))
    for row in rows:
        table.add(
            row.digest[_SHORT],
            row.phase,
            row.task,
            f"{row.cases:,}",
            row.labels or "",
            f"{row.imported_at.astimezone(UTC):%Y-%m-%d %H:%M}",
            row.imported_by or "",
            f"{row.evaluations:,}",
            f"{row.size / 1e6:,.1f}",
            row.state,
        )
    return table


@app.command("activate-dataset")
def activate_dataset(
    digest: Annotated[str, typer.Argument(help="The beginning of a version's digest.")],
    challenge: Challenge = None,
    phase: Phase = None,
    task: Task = None,
    yes: Yes = False,
    why: Reason = None,
    data: Data = None,
) -> None:
    """Bring a version of the cases into force: a staged one, or an earlier one again.

    Where scored or waiting evaluations are concerned it says how many and asks first.
    """
    settings, reason = settings_of(data), reason_of(why)
    with work(settings) as session:
        dataset = versions.find_version(session, digest, challenge=challenge, phase=phase, task=task)
        effect = effects.effect_of(session, dataset)
        changes = changes_of(session, dataset, settings)
        if changes is not None:
            said = "; ".join(changes.lines()) or "no difference"
            say(f"Against the cases in force: {said}", err=True)
        if effect.touches:
            make_sure(f"{_name(dataset)}: if it comes into force, {effect.sentence()}.", yes=yes)
        versions.activate(session, dataset, settings=settings, actor=ACTOR, why=reason)
        say(f"{_name(dataset)}: in force; {effect.sentence()}")


@app.command("drop-dataset")
def drop_dataset(
    digest: Annotated[str | None, typer.Argument(help="The beginning of a version's digest.")] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="Every version that is not in force and that nothing ran on.")
    ] = False,
    challenge: Challenge = None,
    phase: Phase = None,
    task: Task = None,
    yes: Yes = False,
    data: Data = None,
) -> None:
    """Remove the files of versions that are not in force and that no evaluation ran on; it asks first.

    Importing the same folder again brings a version back.
    """
    if (digest is None) == (not unused):
        fail("Say which: the beginning of a digest, as 'proctor-admin datasets' shows it, or --unused.")
    settings = settings_of(data)
    with work(settings) as session:
        if digest is not None:
            chosen = [versions.find_version(session, digest, challenge=challenge, phase=phase, task=task)]
        else:
            within = None if challenge is None else get_challenge(session, challenge)
            chosen = versions.unused(session, within, phase=phase, task=task)
        freed = sum(versions.drop(session, dataset, settings=settings, actor=ACTOR) for dataset in chosen)
        names = "\n".join(_name(dataset) for dataset in chosen)
        if chosen:
            make_sure(f"{names}\nTheir files are removed, {freed / 1e6:,.1f} MB.", yes=yes)
    say(f"{counted(len(chosen), 'version')} dropped, {freed / 1e6:,.1f} MB freed")


def _name(dataset: Dataset) -> str:
    return f"{dataset.phase} {dataset.task} {dataset.digest[_SHORT]}"
