"""Importing cases as a version that is not in force yet, which `server.versions` brings there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from server.challenges.models import Challenge
from server.challenges.service import get_phase, require_task
from server.datasets.check import manifest_of
from server.datasets.current import changes_of, in_force, lock
from server.datasets.difference import Difference, difference, groups_lost
from server.datasets.findings import Findings, LayoutError
from server.datasets.models import Dataset, DatasetState
from server.datasets.overlap import find_overlaps
from server.datasets.staging import Prepared, Progress, prepare
from server.errors import NotFound
from server.moves import begin
from server.settings import Settings

Accept = Callable[[tuple[str, ...]], bool]
"""Is told the warnings of an import, and says whether they are accepted."""


def never(warnings: tuple[str, ...]) -> bool:
    """Accepts no warning."""
    return False


@dataclass(frozen=True)
class Staged:
    """What came of an import: the dataset, whether its content is new here, and what it changes."""

    dataset: Dataset
    new: bool
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    difference: Difference | None
    """Against the version in force; None where there is none, or it is this one."""


@dataclass(frozen=True)
class Report:
    """What an import would say; errors leave nothing to compare."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    cases: int
    difference: Difference | None
    known: DatasetState | None
    """Where this very content stands already."""


def current_dataset(
    session: Session, challenge: Challenge, phase: str, task: str, *, keep: bool = False
) -> Dataset:
    """The dataset that a submission to this phase and task runs on; with `keep` it is not dropped before the commit."""
    dataset = in_force(session, challenge, phase, task, keep=keep)
    if dataset is None:
        detail = f"Phase {phase!r} has no cases for {task} yet; the organizers have to import them first."
        raise NotFound(ErrorCode.NO_DATASET, detail)
    return dataset


def stage(
    session: Session,
    challenge: Challenge,
    *,
    phase: str,
    task: str,
    source: Path,
    settings: Settings,
    actor: str,
    accept: Accept = never,
    progress: Progress = lambda done, of: None,
) -> Staged:
    """Imports a Task_N folder in the FOMO layout as a version that is not in force; `activate` brings it there.

    Inputs go to the inputs tree with clean headers, labels and groups to the references tree only. Content that was
    imported before is found again, and nothing is written then.

    Raises:
        LayoutError: with everything that is wrong, or with warnings that were not accepted; nothing was imported then.
    """
    prepared = _prepared(session, challenge, phase, task, source, settings, progress)
    return settle(
        session, challenge, phase, task, prepared, settings=settings, actor=actor, accept=accept, why=None
    )


def settle(
    session: Session,
    challenge: Challenge,
    phase: str,
    task: str,
    prepared: Prepared,
    *,
    settings: Settings,
    actor: str,
    accept: Accept,
    why: str | None,
) -> Staged:
    """The version of what was prepared, found again or made; `why` is kept in the event of a new one, else its digest.

    Raises:
        LayoutError: its warnings are not accepted; the trees are gone then.
    """
    try:
        known = _known(session, challenge, phase, task, prepared.digest)
        if known is None and prepared.warnings and not accept(prepared.warnings):
            raise LayoutError([], prepared.warnings)
        lock(session, challenge.id)  # of two imports of the same content one finds what the other made
        known = _known(session, challenge, phase, task, prepared.digest)
        kept = _kept(session, challenge, phase, task, prepared, known, actor, why)
        changes = changes_of(session, kept, settings)
        return Staged(kept, known is None, prepared.warnings, prepared.notes, changes)
    except BaseException:
        prepared.trees.remove()
        raise


def check(
    session: Session,
    challenge: Challenge,
    *,
    phase: str,
    task: str,
    source: Path,
    settings: Settings,
    progress: Progress = lambda done, of: None,
) -> Report:
    """What `stage` would say of a folder. Imports nothing."""
    try:
        prepared = _prepared(session, challenge, phase, task, source, settings, progress)
    except LayoutError as error:
        return Report(tuple(error.problems), error.warnings, (), 0, None, None)
    try:
        known = _known(session, challenge, phase, task, prepared.digest)
        old = in_force(session, challenge, phase, task)
        changes = None
        if old is not None and old is not known and (settings.references / old.folder).is_dir():
            changes = difference(
                old.cases,
                prepared.cases,
                old_references=settings.references / old.folder,
                new_references=prepared.trees.references,
            )
        state = None if known is None else known.state
        return Report((), prepared.warnings, prepared.notes, len(prepared.cases), changes, state)
    finally:
        prepared.trees.remove()


def inputs_manifest(dataset: Dataset) -> dict[str, Any]:
    """The inputs manifest in the evaluator's format; the dataset's digest seeds its resampling."""
    return manifest_of(dataset.digest, dataset.cases)


def _prepared(
    session: Session,
    challenge: Challenge,
    phase: str,
    task: str,
    source: Path,
    settings: Settings,
    progress: Progress,
) -> Prepared:
    get_phase(challenge.spec, phase)
    require_task(challenge.spec, task)
    prepared = prepare(
        challenge.spec, phase=phase, task=task, source=source, settings=settings, progress=progress
    )
    return judged(session, challenge, phase, task, prepared, settings)


def judged(
    session: Session, challenge: Challenge, phase: str, task: str, prepared: Prepared, settings: Settings
) -> Prepared:
    """The same with what its neighbours say of it: scans of other phases, groups that the cases in force have.

    Raises:
        LayoutError: a scan is where it must not be; the trees are gone then.
    """
    findings = Findings(warnings=list(prepared.warnings))
    find_overlaps(session, challenge, phase, cases=prepared.cases, findings=findings)
    _compare_groups(in_force(session, challenge, phase, task), prepared, settings, findings)
    if findings.errors:
        prepared.trees.remove()
        raise LayoutError(findings.errors, findings.warnings)
    return replace(prepared, warnings=tuple(findings.warnings))


def _compare_groups(old: Dataset | None, prepared: Prepared, settings: Settings, findings: Findings) -> None:
    """Warns where the version in force has groups that the new one has lost altogether: a file may be missing."""
    if old is None:
        return
    lost = groups_lost(settings.references / old.folder, prepared.trees.references)
    if lost:
        what = f"no case has {' or '.join(lost)}, which the cases in force have; is participants.tsv whole?"
        findings.warn(f"{old.phase} {old.task}", what)


def _known(session: Session, challenge: Challenge, phase: str, task: str, digest: str) -> Dataset | None:
    return session.scalar(
        select(Dataset).where(
            Dataset.challenge_id == challenge.id,
            Dataset.phase == phase,
            Dataset.task == task,
            Dataset.digest == digest,
        )
    )


def _move_into(known: Dataset, prepared: Prepared) -> None:
    """Names the new trees as those of a dropped version: its own may be there yet, or be going at this moment."""
    known.folder = str(prepared.trees.folder)
    for case, found in zip(known.cases, prepared.cases, strict=True):
        case.files = found.files


def _kept(
    session: Session,
    challenge: Challenge,
    phase: str,
    task: str,
    prepared: Prepared,
    known: Dataset | None,
    actor: str,
    why: str | None,
) -> Dataset:
    """The row of what was prepared; trees that are there already are not kept twice."""
    if known is not None:
        known.fits_version_id = challenge.current_version_id
    if known is not None and known.state != DatasetState.DROPPED:
        prepared.trees.remove()
        return known
    if known is not None:
        known.move_to(session, DatasetState.STAGED, actor=actor, why=why or "imported again")
        _move_into(known, prepared)
        session.flush()
        return known
    dataset = Dataset(
        challenge_id=challenge.id,
        phase=phase,
        task=task,
        digest=prepared.digest,
        folder=str(prepared.trees.folder),
        cases=prepared.cases,
        state=DatasetState.STAGED,
        imported_by=actor,
        fits_version_id=challenge.current_version_id,
    )
    session.add(dataset)
    session.flush()
    begin(
        session, "dataset", dataset.id, dataset.state, actor=actor, why=dataset.digest if why is None else why
    )
    return dataset
