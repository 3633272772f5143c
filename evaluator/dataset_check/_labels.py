"""Labels in references.csv: read by the parser of scoring, and fit for what the boards make of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.dataset_check._finding import Finding, error, warning
from evaluator.manifest import ManifestError, Reference, References
from evaluator.metrics import DatasetMetric
from evaluator.metrics.registry import lookup
from evaluator.outputs import TruthError, Value, truth
from evaluator.scoring import class_of, cohort_of
from evaluator.spec import Board, EmbeddingOutput, Metric, NumberOutput, ScoresOutput, Task

_APART = 10.0  # embeddings of one class lie so far from all others that any probe learns them


@dataclass(frozen=True)
class Truths:
    """Perfect outputs by case; empty where a label has none."""

    findings: tuple[Finding, ...]
    outputs: Mapping[str, Value]


def read_truths(task: Task, references: References, boards: Mapping[str, Board]) -> Truths:
    """The label of every case as the output that it asks for, and what is wrong with those that ask for none."""
    found: list[Finding] = []
    outputs: dict[str, Value] = {}
    classes = _cohorts(references) if isinstance(task.output, EmbeddingOutput) else ()
    for case, row in references.rows.items():
        try:
            outputs[case] = _truth(task, case, row, boards, classes, found)
        except (TruthError, ManifestError) as problem:
            found.append(error("reference_labels", f"{row.place}: {_said(problem, row)}", case))
    return Truths(tuple(found), {} if len(outputs) < len(references.rows) else outputs)


def _said(problem: Exception, row: Reference) -> str:
    return str(problem).removeprefix(f"{row.place}: ")


def _truth(
    task: Task,
    case: str,
    row: Reference,
    boards: Mapping[str, Board],
    classes: tuple[str, ...],
    found: list[Finding],
) -> Value:
    match task.output:
        case NumberOutput():
            if row.label is None:
                raise TruthError("the case has no label")
            value, doubts = truth(task.output, row.label)
            found += [warning("reference_labels", f"{row.place}: {doubt}", case) for doubt in doubts]
            found += _not_binary(case, row, value, boards)
            return value
        case ScoresOutput():
            return tuple(np.eye(len(task.output.classes))[class_of(row, task.output.classes)].tolist())
        case _:
            corner: npt.NDArray[np.float32] = np.zeros(len(classes), np.float32)
            corner[classes.index(cohort_of(row))] = _APART
            return corner


def _not_binary(case: str, row: Reference, value: float, boards: Mapping[str, Board]) -> Iterator[Finding]:
    if value in (0, 1):
        return
    for name, board in boards.items():
        wanting = [key for key, metric in board.metrics.items() if _is_binary(metric)]
        if wanting:
            message = (
                f"label {row.label!r} is neither 0 nor 1, as {', '.join(wanting)} of board {name} needs it"
            )
            yield error("reference_labels", f"{row.place}: {message}", case)


def _is_binary(metric: Metric) -> bool:
    row = lookup(metric.metric)
    return isinstance(row, DatasetMetric) and row.reads == "binary"


def _cohorts(references: References) -> tuple[str, ...]:
    return tuple(
        sorted({one for row in references.rows.values() if (one := row.cohort or row.label) is not None})
    )
