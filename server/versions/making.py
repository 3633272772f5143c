"""Versions that organizers make over HTTP, and what they are told of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy.orm import Session

from contract.datasets import MOST_WARNINGS, DifferenceOut, EffectOut, StagedOut
from contract.ids import CaseId, DatasetId
from contract.problems import ErrorCode
from server.challenges.models import Challenge
from server.datasets import corrections
from server.datasets.corrections import Correction, require_references
from server.datasets.current import in_force
from server.datasets.difference import Difference, difference
from server.datasets.findings import LayoutError, some
from server.datasets.models import Case, Dataset, DatasetState
from server.datasets.service import Accept, Staged, stage
from server.errors import Conflict, NotFound, Unprocessable
from server.settings import Settings
from server.versions.effects import Effect, effect_of


def version_of(session: Session, challenge: Challenge, dataset_id: DatasetId) -> Dataset:
    """The version with this id, of this challenge.

    Raises:
        NotFound: there is none.
    """
    dataset = session.get(Dataset, dataset_id)
    if dataset is None or dataset.challenge_id != challenge.id:
        raise NotFound(ErrorCode.UNKNOWN_DATASET, f"{challenge.slug} has no such version of any cases.")
    return dataset


def case_of(session: Session, dataset: Dataset, case_id: CaseId) -> Case:
    """The case of this version with this id.

    Raises:
        NotFound: there is none.
    """
    case = session.get(Case, case_id)
    if case is None or case.dataset_id != dataset.id:
        raise NotFound(ErrorCode.UNKNOWN_CASE, "This version of the cases has no such case.")
    return case


def correct(
    session: Session,
    challenge: Challenge,
    dataset: Dataset,
    correction: Correction,
    *,
    against: Dataset | None,
    accept: bool,
    actor: str,
    settings: Settings,
) -> StagedOut:
    """Makes the corrected version; the answer says what it changes against `dataset`, or the one that is named.

    Raises:
        NotFound, Conflict, Unprocessable: see `server.datasets.corrections.correct` and `problems_told`.
    """
    with problems_told():
        staged = corrections.correct(
            session,
            challenge,
            dataset,
            correction,
            settings=settings,
            actor=actor,
            accept=accepted(accept),
        )
    return staged_out(session, challenge, staged, _difference(against or dataset, staged.dataset, settings))


def import_folder(
    session: Session,
    challenge: Challenge,
    phase: str,
    task: str,
    root: Path,
    *,
    accept: bool,
    actor: str,
    settings: Settings,
) -> StagedOut:
    """Stages the cases of an archive, unpacked at `root`; the answer says what they change against those in force.

    Raises:
        Conflict, Unprocessable: see `problems_told`.
    """

    def hide(text: str) -> str:
        return text.replace(f"{root}/", "").replace(str(root), "the archive")

    with problems_told(hide):
        staged = stage(
            session,
            challenge,
            phase=phase,
            task=task,
            source=root,
            settings=settings,
            actor=actor,
            accept=accepted(accept),
        )
    warnings, notes = (tuple(map(hide, texts)) for texts in (staged.warnings, staged.notes))
    told = replace(staged, warnings=warnings, notes=notes)
    return staged_out(session, challenge, told, told.difference)


def accepted(yes: bool) -> Accept:
    """Accepts all warnings, or none."""
    return lambda warnings: yes


def compared(
    session: Session, challenge: Challenge, dataset: Dataset, against: Dataset | None, settings: Settings
) -> Difference:
    """What a version changes against another of its phase and task, or the one in force.

    Raises:
        NotFound: there is no version in force, or the other one is of another phase or task.
        Conflict: the labels of one of them cannot be read here.
    """
    other = against or in_force(session, challenge, dataset.phase, dataset.task)
    if other is None:
        raise NotFound(ErrorCode.NO_DATASET, f"No cases of {dataset.phase} {dataset.task} are in force.")
    if (other.phase, other.task) != (dataset.phase, dataset.task):
        detail = f"{other.digest} is of {other.phase} {other.task}, not of {dataset.phase} {dataset.task}."
        raise NotFound(ErrorCode.UNKNOWN_DATASET, detail)
    return _difference(other, dataset, settings)


def _difference(old: Dataset, new: Dataset, settings: Settings) -> Difference:
    for dataset in (old, new):
        require_references(dataset, settings)
    before, after = (settings.references / dataset.folder for dataset in (old, new))
    return difference(old.cases, new.cases, old_references=before, new_references=after)


@contextmanager
def problems_told(hide: Callable[[str], str] = lambda text: text) -> Iterator[None]:
    """What is wrong with cases as problems; `hide` takes from each sentence what nobody shall read.

    Raises:
        Unprocessable: they have errors.
        Conflict: they have warnings that were not accepted.
    """
    try:
        yield
    except LayoutError as error:
        errors, warnings = ([hide(text) for text in texts] for texts in (error.problems, error.warnings))
        told = {"errors": errors[:MOST_WARNINGS], "warnings": warnings[:MOST_WARNINGS]}
        if errors:
            detail = f"Nothing was made, for {some(errors)}."
            raise Unprocessable(ErrorCode.CASES_REFUSED, detail, **told) from None
        detail = f"Nothing was made: {some(warnings)}. Mend it, or accept the warnings if it is meant so."
        raise Conflict(ErrorCode.CASES_ODD, detail, **told) from None


def staged_out(
    session: Session, challenge: Challenge, staged: Staged, changes: Difference | None
) -> StagedOut:
    """What was made, what it would do, and what to do next."""
    dataset, effect = staged.dataset, effect_of(session, staged.dataset)
    in_place = None if staged.difference is None else DifferenceOut.of(staged.difference)
    return StagedOut.of(
        dataset,
        new=staged.new,
        cases=len(dataset.cases),
        warnings=list(staged.warnings[:MOST_WARNINGS]),
        notes=list(staged.notes[:MOST_WARNINGS]),
        difference=None if changes is None else DifferenceOut.of(changes),
        effect=EffectOut.of(effect, sentence=effect.sentence(), difference=in_place),
        advice=_advice(challenge, dataset, effect, changes),
    )


def _advice(challenge: Challenge, dataset: Dataset, effect: Effect, changes: Difference | None) -> str:
    short = dataset.digest[7:19]
    if dataset.state is DatasetState.ACTIVE:
        return "These cases are in force."
    if not effect.touches:
        return (
            f"No evaluation is concerned: bring it into force with 'proctor-admin activate-dataset {short}'."
        )
    mode = "complete" if changes is None or changes.added or changes.voxels else "rescore"
    return (
        "To take the entries along, re-evaluate: "
        f"'proctor-admin reevaluate {challenge.slug} --mode {mode} --on {short}'. "
        f"Brought into force without that: {effect.sentence()}."
    )
