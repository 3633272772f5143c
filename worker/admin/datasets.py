"""`proctor-admin datasets`, `activate-dataset` and `drop-dataset`: the versions of the cases and which is in force."""

from dataclasses import dataclass
from datetime import UTC
from typing import Annotated
from urllib.parse import quote

import typer

from contract.datasets import DatasetOut, DifferenceOut, EffectOut
from contract.events import Subject
from evaluator.terminal import say
from server.audit.looks import Look, looked
from server.challenges.service import get_challenge
from server.datasets.current import changes_of
from server.datasets.difference import Difference
from server.datasets.models import Dataset
from server.versions import effects
from server.versions import service as versions
from worker.admin.api import Api, api
from worker.admin.context import ACTOR, fail, make_sure, reason_of, settings_of, work
from worker.admin.options import Data, Reason, Server
from worker.admin.tables import Listing, counted, show, show_json

app = typer.Typer()
Challenge = Annotated[str | None, typer.Option(help="Only of this challenge.")]
Phase = Annotated[str | None, typer.Option(help="Only of this phase.")]
Task = Annotated[str | None, typer.Option(help="Only of this task.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_SHORT, _DIGITS = slice(7, 19), slice(7, None)


@dataclass(frozen=True)
class WantedVersion:
    """Which version of a challenge's cases is meant: by the beginning of its digest, and more if need be."""

    digest: str
    challenge: str
    phase: str | None
    task: str | None

    def found(self, there: Api) -> DatasetOut:
        """The one version whose digest begins so."""
        rows = _versions(there, self.challenge, self.phase, self.task)
        digits = self.digest.strip().lower().removeprefix("sha256:")
        found = [row for row in rows if digits and row.digest[_DIGITS].startswith(digits)]
        if len(found) != 1:
            listed = ", ".join(f"{_name(row)} ({row.state})" for row in found) or "none"
            fail(f"One version has to begin with {self.digest!r}; there begin so: {listed}.")
        return found[0]


def _wanted(digest: str | None, challenge: str | None, phase: str | None, task: str | None) -> WantedVersion:
    if digest is None or challenge is None:
        fail("On another server say one version by the beginning of its digest, and its --challenge.")
    return WantedVersion(digest, challenge, phase, task)


def _versions(here: Api, challenge: str, phase: str | None, task: str | None) -> list[DatasetOut]:
    answer = here.get(f"/admin/challenges/{quote(challenge, safe='')}/datasets", phase=phase, task=task)
    return [DatasetOut.model_validate(row) for row in answer]


@app.command("datasets")
def show_datasets(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    phase: Phase = None,
    task: Task = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="As GET /admin/challenges/{slug}/datasets answers.")
    ] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Every version of a challenge's cases: its labels, who imported it, what ran on it, its size and its state."""
    with api(server=server, data=data) as here:
        rows = _versions(here, challenge, phase, task)
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
            row.imported_by_name or row.imported_by or "",
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
    server: Server = None,
    data: Data = None,
) -> None:
    """Bring a version of the cases into force: a staged one, or an earlier one again.

    Where scored or waiting evaluations are concerned it says how many and asks first.
    """
    reason = reason_of(why)
    if server is not None:
        _activate_elsewhere(server, _wanted(digest, challenge, phase, task), yes=yes, why=reason)
        return
    settings = settings_of(data)
    with work(settings) as session:
        dataset = versions.find_version(session, digest, challenge=challenge, phase=phase, task=task)
        changes = changes_of(session, dataset, settings)
        looked(session, Subject.DATASET, dataset.id, Look.NAMES, actor=ACTOR)
    if changes is not None:
        say_changes(changes)
    with work(settings) as session:
        dataset = versions.get_version(session, dataset.id)
        effect = effects.effect_of(session, dataset)
        if effect.touches:
            make_sure(_if_in_force(dataset, effect.sentence()), yes=yes)
        versions.activate(session, dataset, settings=settings, actor=ACTOR, why=reason)
        say(f"{_name(dataset)}: in force; {effect.sentence()}")


def _activate_elsewhere(server: str, wanted: WantedVersion, *, yes: bool, why: str | None) -> None:
    """The same on another server."""
    with api(server=server, data=None) as there:
        version = wanted.found(there)
        effect = EffectOut.model_validate(there.get(f"/admin/datasets/{version.id}/effect"))
        if effect.difference is not None:
            say_changes(effect.difference)
        if effect.leave or effect.come_back or effect.waiting:
            make_sure(_if_in_force(version, effect.sentence), yes=yes)
        there.post(f"/admin/datasets/{version.id}/activate", {"yes": True, "why": why})
    say(f"{_name(version)}: in force; {effect.sentence}")


def say_changes(changes: Difference | DifferenceOut, against: str = "Against the cases in force") -> None:
    """What one version changes against another, on standard error."""
    lines = Difference(**{name: tuple(names) for name, names in vars(changes).items()}).lines()
    say(f"{against}: {'; '.join(lines) or 'no difference'}", err=True)


def _if_in_force(dataset: Dataset | DatasetOut, sentence: str) -> str:
    return f"{_name(dataset)}: if it comes into force, {sentence}."


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
    server: Server = None,
    data: Data = None,
) -> None:
    """Remove the files of versions that are not in force and that no evaluation ran on; it asks first.

    Importing the same folder again brings a version back.
    """
    if (digest is None) == (not unused):
        fail("Say which: the beginning of a digest, as 'proctor-admin datasets' shows it, or --unused.")
    if server is not None:
        _drop_elsewhere(server, _wanted(digest, challenge, phase, task), yes=yes)
        return
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
            make_sure(_files_removed(names, freed), yes=yes)
    say(f"{counted(len(chosen), 'version')} dropped, {freed / 1e6:,.1f} MB freed")


def _drop_elsewhere(server: str, wanted: WantedVersion, *, yes: bool) -> None:
    """The same of one version on another server."""
    with api(server=server, data=None) as there:
        version = wanted.found(there)
        make_sure(_files_removed(_name(version), version.size), yes=yes)
        freed = there.delete(f"/admin/datasets/{version.id}")["freed"]
    say(f"1 version dropped, {freed / 1e6:,.1f} MB freed")


def _files_removed(names: str, size: int) -> str:
    return f"{names}\nTheir files are removed, {size / 1e6:,.1f} MB."


def _name(dataset: Dataset | DatasetOut) -> str:
    return f"{dataset.phase} {dataset.task} {dataset.digest[_SHORT]}"
