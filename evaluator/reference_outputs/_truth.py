"""The labels of a task as the outputs that they ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evaluator.dataset_check import read_truths
from evaluator.manifest import Manifest, ManifestError, References, load_references, read_reference_map
from evaluator.outputs import LabelMap, LabelMapError, Value
from evaluator.spec import Challenge, Maps, Task


class TruthUnreadable(ValueError):
    """Labels from which no outputs can be made; the message names no case."""


@dataclass(frozen=True)
class Truth:
    """A task with its cases. perfect: the output that a case's label asks for."""

    spec: Challenge
    name: str
    manifest: Manifest
    references: References
    perfect: Callable[[str], Value]

    @property
    def task(self) -> Task:
        """The task."""
        return self.spec.tasks[self.name]


def truth_of_task(spec: Challenge, task: str, manifest: Manifest, references: Path) -> Truth:
    """The labels in the directory `references`.

    Raises:
        TruthUnreadable: some cannot be read, or are none of the task.
    """
    try:
        rows = load_references(references, manifest)
    except ManifestError as problem:
        raise TruthUnreadable(str(problem).removeprefix(f"{references}/")) from None
    if isinstance(spec.tasks[task].kind.labels, Maps):
        return Truth(spec, task, manifest, rows, lambda case: _label_map(spec.tasks[task], rows, case))
    truths = read_truths(spec.tasks[task], rows, spec.boards_of(task))
    if not truths.outputs:
        raise TruthUnreadable(f"{len(truths.findings)} labels cannot be read; proctor-admin check lists them")
    return Truth(spec, task, manifest, rows, truths.outputs.__getitem__)


def _label_map(task: Task, references: References, case: str) -> LabelMap:
    try:
        truth = read_reference_map(task.output, references.label_map_path(case))  # type: ignore[arg-type]
    except LabelMapError as problem:
        raise TruthUnreadable(f"a reference label map {problem}") from None
    return LabelMap(truth.labels, truth.affine)
