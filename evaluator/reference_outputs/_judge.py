"""What scoring has to make of an output that the platform made itself, held against what it did make."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluator.dataset_check import best, is_reached
from evaluator.frozen import Model
from evaluator.metrics import CaseMetric, DatasetData, DatasetMetric, NotScored
from evaluator.metrics.registry import is_built_in
from evaluator.outputs import Value
from evaluator.reference_outputs._truth import Truth
from evaluator.reference_outputs._variants import CONSTANT, MISSING, PERFECT, ReferenceVariant
from evaluator.scoring import BoundMetric, MetricReport, Report, bound_metrics
from evaluator.spec import Board, Cells

_SAME = 1e-6
REFUSED, SCORED = "REJECTED", "scored"
NO_BETTER = "no better than perfect"


class Judgement(Model):
    """One thing that was expected of a variant: of the whole where board and metric are None, else of one value."""

    variant: str
    board: str | None
    metric: str | None
    expected: str
    found: str
    as_expected: bool


@dataclass(frozen=True)
class _Expected:
    """A value, or with `bound` that nothing better is found. None: nothing is known of it."""

    value: float | None = None
    bound: bool = False
    undefined: bool = False


def judge_refused(variant: ReferenceVariant, why: str | None) -> Judgement:
    """Whether a variant was refused as a whole. why: the check that failed, None where it was scored."""
    return Judgement(
        variant=variant.name,
        board=None,
        metric=None,
        expected=REFUSED if variant.refused else SCORED,
        found=SCORED if why is None else f"{REFUSED} ({why})",
        as_expected=(why is not None) == variant.refused,
    )


def judge_scored(
    truth: Truth, variant: ReferenceVariant, report: Report, perfect: Report | None
) -> Iterator[Judgement]:
    """What was expected of each metric of a board. perfect: the report of the perfect variant, once it is known."""
    board = truth.spec.boards[report.board]
    for key, metric in bound_metrics(board, truth.task.kind).items():
        found = report.metrics[key]
        expected = _expected(truth, variant, board, metric, _Own(perfect, key) if perfect else None)
        yield Judgement(
            variant=variant.name,
            board=report.board,
            metric=key,
            expected=_words(expected),
            found=_found(found),
            as_expected=_is_met(expected, found, metric),
        )


@dataclass(frozen=True)
class _Own:
    """What the perfect variant had of one metric."""

    report: Report
    key: str

    @property
    def value(self) -> float | None:
        return self.report.metrics[self.key].value

    @property
    def per_case(self) -> Sequence[float | None] | None:
        return self.report.per_case.get(self.key)


def _expected(
    truth: Truth, variant: ReferenceVariant, board: Board, metric: BoundMetric, perfect: _Own | None
) -> _Expected:
    if variant.name == PERFECT:
        top = best(metric.plugin)
        reached = is_reached(truth.task.kind, metric.chosen) and math.isfinite(top)
        return _Expected(top) if reached else _Expected()
    beaten = _Expected(perfect.value if perfect else None, bound=True)
    if not is_built_in(metric.name):
        return beaten  # its code runs in a process of its own, and not here
    if isinstance(metric.plugin, CaseMetric):
        return _of_missing_cases(truth, metric.plugin, metric, perfect) if variant.name == MISSING else beaten
    if metric.plugin.compares is not None:
        return beaten
    if isinstance(truth.task.kind.labels, Cells):
        return _computed(truth, variant, metric.plugin, metric)
    if board.probe is not None and variant.name == CONSTANT:
        return _of_a_constant_probe(truth, board.probe.n_test, metric.plugin, metric)
    return beaten


def _of_missing_cases(
    truth: Truth, plugin: CaseMetric, metric: BoundMetric, perfect: _Own | None
) -> _Expected:
    """The mean over the cases, with what the metric declares for those without an output."""
    if perfect is None or perfect.per_case is None:
        return _Expected()
    penalty = plugin.score_missing(metric.parameters)
    values = [penalty if place % 2 else value for place, value in enumerate(perfect.per_case)]
    known = [value for value in values if value is not None and not math.isnan(value)]
    return _Expected(math.fsum(known) / len(known)) if known else _Expected(undefined=True)


def _computed(
    truth: Truth, variant: ReferenceVariant, plugin: DatasetMetric, metric: BoundMetric
) -> _Expected:
    """What the metric makes of the values themselves, and of what it declares where there is none."""
    names = truth.manifest.names
    labels = np.array([_as_label(truth.perfect(case)) for case in names])
    classes = len(getattr(truth.task.output, "classes", ())) or 2
    answers = [variant.value(case) if variant.value else None for case in names]
    scores = [
        _as_score(plugin.replace(label, classes, metric.parameters) if answer is None else answer)
        for label, answer in zip(labels, answers, strict=True)
    ]
    return _value(plugin, metric, labels, scores)


def _of_a_constant_probe(truth: Truth, each: int, plugin: DatasetMetric, metric: BoundMetric) -> _Expected:
    """What equal scores of every class get on the test cases, of which each class has as many."""
    rows = truth.references.rows.values()
    classes = len({row.cohort or row.label for row in rows})
    return _value(
        plugin, metric, np.repeat(np.arange(classes), each), [[1 / classes] * classes] * each * classes
    )


def _value(plugin: DatasetMetric, metric: BoundMetric, labels: Any, scores: Sequence[Any]) -> _Expected:
    try:
        return _Expected(plugin.score(DatasetData(labels, np.array(scores, np.float64)), metric.parameters))
    except NotScored:
        return _Expected(undefined=True)


def _as_label(value: Value) -> float | int:
    return value if isinstance(value, float) else int(np.argmax(value))


def _as_score(value: Value) -> Any:
    row = np.asarray(value, np.float64)
    return row.item() if row.size == 1 else row


def _words(expected: _Expected) -> str:
    if expected.undefined:
        return "not scored"
    if expected.bound or expected.value is None:
        return NO_BETTER if expected.bound else "any value"
    return f"{expected.value:.6g}"


def _found(found: MetricReport) -> str:
    return f"not scored: {found.reason}" if found.value is None else f"{found.value:.6g}"


def _is_met(expected: _Expected, found: MetricReport, metric: BoundMetric) -> bool:
    if found.fault is not None:
        return False
    if expected.undefined:
        return found.value is None
    if found.value is None:
        return expected.bound
    if expected.value is None:
        return True
    if expected.bound:
        sign = 1 if metric.plugin.direction == "higher" else -1
        return sign * (found.value - expected.value) <= _SAME
    return abs(found.value - expected.value) <= _SAME * max(1.0, abs(expected.value))
