"""A version of the cases that is another one with corrections: cases withdrawn, other labels, other groups."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from server.challenges.models import Challenge
from server.challenges.service import get_phase, require_task
from server.datasets.difference import rows_of
from server.datasets.findings import Findings, LayoutError, some
from server.datasets.fomo_layout import Found
from server.datasets.models import Case, Dataset, DatasetState
from server.datasets.participants import normal
from server.datasets.service import Accept, Staged, judged, settle
from server.datasets.staging import build
from server.datasets.writer import Writer
from server.errors import Conflict, NotFound
from server.settings import Settings


@dataclass(frozen=True)
class Correction:
    """What is corrected, by case. labels: the content of their label files. groups: values by column, "" if unknown."""

    why: str
    withdraw: frozenset[str] = frozenset()
    labels: Mapping[str, bytes] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def correct(
    session: Session,
    challenge: Challenge,
    dataset: Dataset,
    correction: Correction,
    *,
    settings: Settings,
    actor: str,
    accept: Accept,
) -> Staged:
    """Makes a version that is not in force from `dataset`; its images are shared, its references written anew.

    Raises:
        NotFound: a case is none of its own, or the challenge file has no such phase or task any more.
        Conflict: it changes nothing; its files were dropped, or cannot be reached from here.
        LayoutError: what comes of it could not be imported, or has warnings that are not accepted.
    """
    get_phase(challenge.spec, dataset.phase)
    require_task(challenge.spec, dataset.task)
    session.refresh(dataset, with_for_update={"read": True, "key_share": True})  # it is not dropped meanwhile
    _require_files(dataset, settings)
    _require_cases(dataset, correction)
    cases = [case for case in dataset.cases if case.name not in correction.withdraw]
    rows = _rows(dataset, correction, settings)

    def fill(writer: Writer) -> None:
        for case in cases:
            label = correction.labels.get(case.name)
            references = settings.references / dataset.folder
            writer.carry(case, rows[case.name], inputs=settings.inputs, references=references, label=label)

    prepared = build(
        challenge.spec,
        dataset.phase,
        dataset.task,
        found=[_place(case) for case in cases],
        fill=fill,
        settings=settings,
        findings=Findings(),
    )
    if prepared.digest == dataset.digest:
        prepared.trees.remove()
        raise Conflict(
            ErrorCode.NOTHING_CORRECTED, f"{dataset.digest} is so already: this would change nothing."
        )
    prepared = judged(session, challenge, dataset.phase, dataset.task, prepared, settings)
    why = f"{prepared.digest}, corrected from {dataset.digest[:19]}: {correction.why}"
    place = dataset.phase, dataset.task
    return settle(
        session, challenge, *place, prepared, settings=settings, actor=actor, accept=accept, why=why
    )


def _require_files(dataset: Dataset, settings: Settings) -> None:
    if dataset.state == DatasetState.DROPPED:
        detail = f"The files of {dataset.digest} were dropped; import its folder again to bring it back."
        raise Conflict(ErrorCode.DATASET_DROPPED, detail)
    require_references(dataset, settings)
    require_trees(settings)


def require_trees(settings: Settings) -> None:
    """Raises Conflict where this process may not write both trees: labels must not end where nobody looks for them."""
    there = [root for root in (settings.inputs, settings.references) if root.is_dir()]
    if len(there) == 1 or not all(os.access(root, os.W_OK) for root in there):
        raise Conflict(
            ErrorCode.FILES_ELSEWHERE,
            "The cases and their labels cannot be written here: DATA/inputs and DATA/references have to be there, for "
            "score workers and 'proctor-admin' alike.",
        )


def require_references(dataset: Dataset, settings: Settings) -> None:
    """Raises Conflict where the labels of a version cannot be read by this process."""
    if not (settings.references / dataset.folder).is_dir():
        detail = (
            f"The labels of {dataset.digest} cannot be read here: use 'proctor-admin' where score workers run, which "
            "can. What changed is in the answer to what made the version, too."
        )
        raise Conflict(ErrorCode.FILES_ELSEWHERE, detail)


def _require_cases(dataset: Dataset, correction: Correction) -> None:
    named = {*correction.withdraw, *correction.labels, *correction.groups}
    known = {case.name for case in dataset.cases}
    if unknown := sorted(named - known):
        raise NotFound(ErrorCode.UNKNOWN_CASE, f"{dataset.digest} has no case {some(unknown)}.")
    if known == correction.withdraw:
        raise LayoutError([f"{dataset.phase} {dataset.task}: every case would be withdrawn"])


def _rows(dataset: Dataset, correction: Correction, settings: Settings) -> dict[str, dict[str, str]]:
    """The rows of references.csv with the corrected groups.

    Raises:
        LayoutError: a value is none that its column takes.
    """
    found = rows_of(settings.references / dataset.folder)
    rows = {
        case.name: {"subject": case.name, "cohort": "", **found.get(case.name, {})} for case in dataset.cases
    }
    findings = Findings()
    for case, values in correction.groups.items():
        for column, text in values.items():
            value = normal(column, text)
            if value is None:
                what = "none of F, M and O" if column == "sex" else "no number of years up to 130"
                findings.error(case, f"{column} {text[:20]!r} is {what}")
            else:
                rows[case][column] = value
    if findings.errors:
        raise LayoutError(findings.errors)
    return rows


def _place(case: Case) -> Found:
    """How messages name a case and its label."""
    return Found(case.name, case.name, Path(case.name), {}, Path(f"{case.name}: label"))
