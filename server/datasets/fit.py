"""Whether the cases in force fit another challenge file than the one that they were imported under."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluator.dataset_check import Severity, check_dataset
from evaluator.manifest import Manifest
from evaluator.spec import Challenge as Spec
from evaluator.spec import Task
from server.challenges.models import Challenge
from server.datasets.check import manifest_of
from server.datasets.findings import printable, some
from server.datasets.models import IN_FORCE, Case, Dataset
from server.settings import Settings


def misfits(session: Session, challenge: Challenge, spec: Spec, settings: Settings) -> Iterator[str]:
    """A sentence for each phase and task whose cases in force cannot be run or scored as `spec` says.

    Only what `spec` says otherwise than the present version is looked at: the rest was looked at by the import.
    References are read where they can be.
    """
    query = select(Dataset).where(IN_FORCE, Dataset.challenge_id == challenge.id)
    for dataset in session.scalars(query.order_by(Dataset.phase, Dataset.task)):
        wanted = _wanted(spec, dataset)
        if wanted is None or wanted == _wanted(challenge.spec, dataset):
            continue
        problems = list(_inputs(spec.tasks[dataset.task], dataset.cases))
        problems = problems or _references(spec, dataset, settings)
        if problems:
            yield (
                f"the cases in force of {dataset.phase} {dataset.task} do not fit this file: {some(problems)}. "
                "Submissions would fail until cases that fit are imported."
            )


def _wanted(spec: Spec, dataset: Dataset) -> Any:
    """What the file asks of these cases; None where it has no such phase or task any more."""
    if dataset.phase not in spec.phases or dataset.task not in spec.tasks:
        return None
    task = spec.tasks[dataset.task]
    boards = {
        name: (
            [(one.metric, one.parameters) for one in board.metrics.values()],
            board.probe,
            [(one.variable, one.bins) for one in board.groups],
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
        for one in wanted:
            stored = str(case.files[one.key]["path"]).rpartition("/")[2]
            if stored.endswith(".gz") != one.file.endswith(".gz"):
                yield f"{case.name}: {one.key} was imported as {stored}, not as {one.file}"


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
        printable(f"{one.case}: {one.message}" if one.case else one.message)
        for one in found
        if one.severity is Severity.ERROR
    ]
