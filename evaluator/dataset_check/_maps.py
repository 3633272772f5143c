"""Reference label maps: each is read once, held against its inputs, and scored as the perfect submission."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.dataset_check._finding import Finding, error, warning
from evaluator.dataset_check._perfect import best, never_defined, reaches, scored_alone
from evaluator.manifest import Manifest, ReferenceMap, read_reference_map
from evaluator.metrics import CaseData, CaseMetric
from evaluator.metrics.registry import is_built_in
from evaluator.metrics.segmentation import score_case
from evaluator.outputs import Header, LabelMap, LabelMapError, same_affine, sheared, turned
from evaluator.scoring import ScoringError, bound_metrics
from evaluator.spec import Challenge

_CURES = {
    "reference_map": "; write it anew",
    "reference_labels": "; write whole numbers that are labels of the task, or add them to the task",
}
_SHEARED = (
    "has axes that are not at right angles, and distances are measured as if they were; resample it and its inputs if "
    "that is not meant"
)


@dataclass
class _Metric:
    """One metric of a board, and what perfect submissions got of it, by case."""

    board: str
    key: str
    plugin: CaseMetric
    parameters: Any
    short: dict[str, float] = field(default_factory=dict)
    undefined: int = 0

    def take(self, case: str, value: float) -> None:
        if math.isnan(value):
            self.undefined += 1
        elif not reaches(self.plugin, value):
            self.short[case] = value


class MapCheck:
    """The check of all reference label maps of a task, case by case, and of its boards at the end.

    findings: about the boards as the challenge file has them.
    """

    def __init__(self, spec: Challenge, task: str, references: Path) -> None:
        self.findings: list[Finding] = []
        self._spec, self._task, self._references = spec, task, references
        self._output: Any = spec.tasks[task].output
        self._metrics: list[_Metric] = []
        self._read = 0
        for name, board in spec.boards_of(task).items():
            try:
                metrics = bound_metrics(board, spec.tasks[task].kind)
            except ScoringError as problem:
                self.findings.append(error("metric", f"board {name}: {problem}"))
                continue
            for key, metric in metrics.items():
                if not isinstance(metric.plugin, CaseMetric):
                    message = f"board {name}: metric {key}: {metric.name} is not a metric of segmentations"
                    self.findings.append(error("metric", message))
                elif is_built_in(metric.name):
                    self._metrics.append(_Metric(name, key, metric.plugin, metric.parameters))

    def case(self, name: str, headers: Mapping[str, Header]) -> Iterator[Finding]:
        """What is wrong with the reference of one case, whose readable inputs have these headers."""
        try:
            truth = read_reference_map(self._output, self._references / f"{name}.nii.gz")
        except LabelMapError as problem:
            yield error(
                problem.code, f"its reference label map {problem}{_CURES.get(problem.code, '')}", name
            )
            return
        self._read += 1
        for doubt in truth.warnings:
            yield warning("reference_map", f"its reference label map: {doubt}", name)
        if sheared(truth.affine):
            yield warning("reference_spacing", f"its reference label map {_SHEARED}", name)
        if headers:
            yield from _place(name, truth, list(headers.values()))
        plugins = {
            str(place): (metric.plugin, metric.parameters) for place, metric in enumerate(self._metrics)
        }
        values = score_case(CaseData(truth.labels, truth.labels, truth.spacing_mm), plugins)
        for place, metric in enumerate(self._metrics):
            metric.take(name, values[str(place)])

    def boards(self, *, ranked: bool) -> Iterator[Finding]:
        """What the boards cannot make of the references that were read."""
        for metric in self._metrics:
            if self._read and metric.undefined == self._read:
                yield never_defined(metric.board, metric.key, "it is undefined for every case", ranked=ranked)
            elif metric.short:
                case, value = next(iter(metric.short.items()))
                yield warning(
                    "not_perfect",
                    f"the best possible submission gets {value:.6g} instead of {best(metric.plugin):g} for "
                    f"{metric.key} of board {metric.board} in {len(metric.short)} of {self._read} cases, as for a "
                    "label that the reference lacks; look whether that is meant",
                    case,
                )

    def foreign(self, manifest: Manifest) -> Iterator[Finding]:
        """What goes wrong with metrics that are not built in, on the first case: answered as its reference, and not."""
        first = manifest.model_copy(update={"cases": manifest.cases[:1]})

        def read(case: str) -> LabelMap:
            truth = read_reference_map(self._output, self._references / f"{case}.nii.gz")
            return LabelMap(truth.labels, truth.affine)

        for name, board in self._spec.boards_of(self._task).items():
            if not all(is_built_in(metric.metric) for metric in board.metrics.values()):
                yield from scored_alone(self._spec, name, first, self._references, read)
                yield from scored_alone(self._spec, name, first, self._references, lambda case: None)


def _place(case: str, truth: ReferenceMap, inputs: list[Header]) -> Iterator[Finding]:
    like = [header for header in inputs if header.shape == truth.labels.shape]
    if not like:
        message = f"its reference label map has the shape {truth.labels.shape}, and its inputs have {inputs[0].shape}"
        yield error("reference_shape", f"{message}; resample it onto them", case)
    elif not any(same_affine(truth.affine, header.affine) for header in like):
        if all(turned(truth.affine, header.affine) for header in like):
            how = "its axes mirrored or swapped against its inputs; store it in their order"
        else:
            how = "another affine than its inputs; resample it, or copy theirs if only the header is wrong"
        yield error("reference_affine", f"its reference label map has {how}", case)
