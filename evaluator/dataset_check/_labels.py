"""Labels in references.csv: read by the parser of scoring, and fit for what the boards make of them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from evaluator.dataset_check._finding import Finding, error, warning
from evaluator.manifest import ManifestCase, ManifestError, Reference, References
from evaluator.metrics import DatasetMetric
from evaluator.metrics.registry import lookup
from evaluator.outputs import InputUnreadable, TruthError, Value, check_output, encode
from evaluator.scoring import cohort_of, truth_of
from evaluator.spec import Board, Cells, Cohorts, Files, Labels, Metric, Task

_APART = 10.0  # embeddings of one class lie so far from all others that any probe learns them


@dataclass(frozen=True)
class Truths:
    """Perfect outputs by case; empty where a label has none."""

    findings: tuple[Finding, ...]
    outputs: Mapping[str, Value]


def read_truths(task: Task, references: References, boards: Mapping[str, Board]) -> Truths:
    """The label of every case as the output that it asks for, and what is wrong with those that ask for none."""
    findings: list[Finding] = []
    outputs: dict[str, Value] = {}
    classes = _cohorts(references) if isinstance(task.kind.labels, Cohorts) else ()
    for case, row in references.rows.items():
        try:
            outputs[case] = _truth(task, case, references, boards, classes, findings)
        except (TruthError, ManifestError) as problem:
            findings.append(error("reference_labels", _said(problem, row, task.kind.labels), case))
    return Truths(tuple(findings), {} if len(outputs) < len(references.rows) else outputs)


def _said(problem: Exception, row: Reference, labels: Labels) -> str:
    if isinstance(labels, Files):  # its place among all cases is not needed beside its name
        return str(problem).partition(": ")[2]
    return f"{row.place}: {str(problem).removeprefix(f'{row.place}: ')}"


def against_inputs(
    task: Task,
    case: ManifestCase,
    inputs: Mapping[str, Path],
    references: References,
    outputs: Mapping[str, Value],
) -> Iterator[Finding]:
    """Whether a label contradicts its case's inputs, or an output of just what it asks for would be refused."""
    if case.case not in outputs:
        return
    labels = task.kind.labels
    if isinstance(labels, Files) and labels.contradicts is not None:
        with suppress(InputUnreadable):  # which is said below, where it matters
            said = labels.contradicts(
                task.output, truth_of(references, case.case, task.output, labels), inputs
            )
            if said is not None:
                yield error("reference_labels", said, case.case)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"output{task.output.suffix}"
        path.write_bytes(encode(task, outputs[case.case]))
        try:
            result = check_output(task, path, inputs)
        except InputUnreadable as problem:
            yield error("input_unreadable", f"{problem}; write it anew", case.case)
            return
    if not result.valid:
        detail = f" ({result.detail})" if result.detail else ""
        message = (
            f"an output that says what the label says is refused: {result.message.removesuffix('.')}{detail}"
        )
        yield error("reference_labels", f"{message}; mend the label, or what the task allows", case.case)


def _truth(
    task: Task,
    case: str,
    references: References,
    boards: Mapping[str, Board],
    classes: tuple[str, ...],
    findings: list[Finding],
) -> Value:
    labels, row = task.kind.labels, references.rows[case]
    if isinstance(labels, Files):
        return labels.perfect(task.output, truth_of(references, case, task.output, labels))
    if isinstance(labels, Cells):
        if row.label is None:
            raise TruthError("the case has no label")
        value, doubts = labels.read(task.output, row.label)
        findings += [warning("reference_labels", f"{row.place}: {doubt}", case) for doubt in doubts]
        if task.kind.one_number:
            findings += _not_binary(case, row, value, boards)
        return value
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
        sorted(
            {cohort for row in references.rows.values() if (cohort := row.cohort or row.label) is not None}
        )
    )
