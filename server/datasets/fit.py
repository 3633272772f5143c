"""Whether the cases in force fit another challenge file than the one that they were imported under."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import DatasetId, SpecVersionId
from contract.problems import ErrorCode
from evaluator.dataset_check import Severity, check_dataset
from evaluator.manifest import Manifest
from evaluator.spec import Challenge as Spec
from evaluator.spec import Task
from server.challenges.models import Challenge, SpecVersion
from server.datasets.check import manifest_of
from server.datasets.findings import printable, some
from server.datasets.models import IN_FORCE, Case, Dataset
from server.errors import Conflict
from server.settings import Settings


@dataclass(frozen=True)
class Fit:
    """Whether cases that a changed file asks something else of fit it: they do if there is no `misfit`."""

    dataset: DatasetId
    misfit: str | None


def fits(session: Session, dataset: Dataset, challenge: Challenge) -> bool:
    """Whether the cases were found to fit what the present version of the file asks of them."""
    if dataset.fits_version_id in (None, challenge.current_version_id):
        return True
    then = session.get_one(SpecVersion, dataset.fits_version_id)
    return bool(_wanted(then.spec, dataset) == _wanted(challenge.spec, dataset))


def require_fit(session: Session, dataset: Dataset, challenge: Challenge) -> None:
    """Raises Conflict unless the cases fit the present version of the file: what is run on them could not be scored."""
    if not fits(session, dataset, challenge):
        raise Conflict(
            ErrorCode.CASES_UNFIT,
            f"The cases of phase {dataset.phase!r} for {dataset.task} do not fit the challenge file as it is now; the "
            "organizers have to import others first.",
        )


def looked_at(session: Session, challenge: Challenge, spec: Spec, settings: Settings) -> Iterator[Fit]:
    """Whether the cases in force of each phase and task can be run and scored as `spec` says.

    Only where `spec` asks something else than the version that they were found to fit. References are read where
    they can be.
    """
    query = select(Dataset).where(IN_FORCE, Dataset.challenge_id == challenge.id)
    for dataset in session.scalars(query.order_by(Dataset.phase, Dataset.task)):
        known = dataset.fits_version_id
        then = challenge.spec if known is None else session.get_one(SpecVersion, known).spec
        wanted = _wanted(spec, dataset)
        if wanted is None or wanted == _wanted(then, dataset):
            continue
        problems = problems_of(dataset, spec, settings)
        sentence = (
            f"the cases in force of {dataset.phase} {dataset.task} do not fit this file: {some(problems)}. "
            "Nobody can submit to them until cases that fit are imported."
        )
        yield Fit(dataset.id, sentence if problems else None)


def note(session: Session, challenge: Challenge, before: SpecVersionId | None, found: Iterable[Fit]) -> None:
    """Keeps what was found when the version of the file that is present now took the place of `before`."""
    for fit in found:
        dataset = session.get_one(Dataset, fit.dataset)
        if fit.misfit is None:
            dataset.fits_version_id = challenge.current_version_id
        elif dataset.fits_version_id is None:
            dataset.fits_version_id = before


def problems_of(dataset: Dataset, spec: Spec, settings: Settings) -> list[str]:
    """What keeps these cases from being run and scored as `spec` says."""
    problems = list(_inputs(spec.tasks[dataset.task], dataset.cases))
    return problems or _references(spec, dataset, settings)


def _wanted(spec: Spec, dataset: Dataset) -> Any:
    """What the file asks of these cases; None where it has no such phase or task any more."""
    if dataset.phase not in spec.phases or dataset.task not in spec.tasks:
        return None
    task = spec.tasks[dataset.task]
    boards = {
        name: (
            [(metric.metric, metric.parameters) for metric in board.metrics.values()],
            board.probe,
            [(group.variable, group.bins) for group in board.groups],
        )
        for name, board in spec.boards_of(dataset.task).items()
    }
    return task.inputs, task.output, boards, spec.phases[dataset.phase].board != "none"


def _inputs(task: Task, cases: Sequence[Case]) -> Iterator[str]:
    """What cases lack to be run, and files that are packed otherwise than their name would say."""
    for case in cases:
        try:
            wanted = task.inputs_of(set(case.files))
        except ValueError as problem:
            yield f"{case.name}: {problem}"
            continue
        for need in wanted:
            stored = str(case.files[need.key]["path"]).rpartition("/")[2]
            if stored.endswith(".gz") != need.file.endswith(".gz"):
                yield f"{case.name}: {need.key} was imported as {stored}, not as {need.file}"


def _references(spec: Spec, dataset: Dataset, settings: Settings) -> list[str]:
    references = settings.references / dataset.folder
    if not references.is_dir():
        return []
    found = check_dataset(
        spec,
        dataset.task,
        Manifest.model_validate(manifest_of(dataset.digest, dataset.cases)),
        root=settings.inputs,
        references=references,
        ranked=spec.phases[dataset.phase].board != "none",
    )
    return [
        printable(f"{finding.case}: {finding.message}" if finding.case else finding.message)
        for finding in found
        if finding.severity is Severity.ERROR
    ]
