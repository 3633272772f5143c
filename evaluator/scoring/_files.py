"""Boards over outputs whose labels are files: metrics of single cases, and of whole datasets."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluator.manifest import ManifestError, References
from evaluator.metrics import CaseData, CaseMetric, DatasetData, DatasetMetric, NotScored
from evaluator.outputs import TruthError, Value
from evaluator.scoring._cases import finite, mean_report
from evaluator.scoring._dataset import score_dataset
from evaluator.scoring._kept import KeptReferences
from evaluator.scoring._report import Extras, MetricReport, Report
from evaluator.scoring._values import BoundMetric, Job, Sample, ScoringError, resample
from evaluator.spec import Files, Output


def score_files(job: Job) -> Report:
    """The report of a board over points, tables and the like; every case of the manifest weighs the same.

    Raises:
        ScoringError: a metric is not one of such outputs.
        evaluator.manifest.ManifestError: a label is missing or unusable, or lacks what a metric is of.
    """
    labels, cases = job.task.kind.labels, job.manifest.names
    if not isinstance(labels, Files):
        raise ScoringError(f"board {job.name}: the labels of its task are no files")
    truths = [truth_of(job.references, case, job.task.output, labels) for case in cases]
    values = [job.read(case) for case in cases]
    sample = resample(job, cases, [""] * len(cases))
    per_case: dict[str, tuple[float | None, ...]] = {}
    metrics: dict[str, MetricReport] = {}
    for key, metric in job.metrics.items():
        if isinstance(metric.plugin, CaseMetric):
            found = [_of_case(job, labels, metric, *pair) for pair in zip(truths, values, strict=True)]
            per_case[key] = tuple(finite(value) for value in found)
            metrics[key] = mean_report(metric.plugin, np.array(found), sample)
        else:
            metrics[key] = _of_dataset(job, labels, metric, truths, values, sample)
    extras = Extras(dataset=job.manifest.digest, missing=sum(value is None for value in values))
    return Report(board=job.name, cases=cases, per_case=per_case, metrics=metrics, extras=extras)


def truth_of(references: References, case: str, output: Output, labels: Files) -> Any:
    """What the label of a case says.

    Raises:
        evaluator.manifest.ManifestError: it is missing, or no label of the task.
    """
    path = references.directory / f"{case}{labels.suffix}"
    try:
        if isinstance(references, KeptReferences):
            return references.truth(case, path, partial(_read, output, labels))
        return _read(output, labels, path)
    except TruthError as error:
        entry = list(references.rows).index(case) + 1
        raise ManifestError(f"entry {entry} of the manifest: its label {error}") from None


def _read(output: Output, labels: Files, path: Path) -> Any:
    if not path.is_file():
        raise TruthError("is missing")
    return labels.read(output, path)


def _of_case(job: Job, labels: Files, metric: BoundMetric, truth: Any, value: Value | None) -> float:
    if labels.case is None or not isinstance(metric.plugin, CaseMetric):
        raise ScoringError(
            f"board {job.name}: {metric.name} is a metric of single cases, and its task has none"
        )
    if value is None:
        return metric.plugin.score_missing(metric.parameters)
    try:
        return metric.plugin.score(CaseData(*labels.case(job.task.output, truth, value)), metric.parameters)
    except NotScored:
        return math.nan


def _of_dataset(
    job: Job,
    labels: Files,
    metric: BoundMetric,
    truths: Sequence[Any],
    values: Sequence[Value | None],
    sample: Sample,
) -> MetricReport:
    plugin, parameters = metric.plugin, metric.parameters
    if labels.dataset is None or not isinstance(plugin, DatasetMetric):
        raise ScoringError(
            f"board {job.name}: {metric.name} is a metric of whole datasets, and its task has none"
        )

    def missing(label: float, classes: int) -> Any:
        return plugin.replace(label, classes, parameters)

    try:
        data = DatasetData(*labels.dataset(job.task.output, metric.chosen, truths, values, missing))
    except TruthError as error:
        raise ManifestError(f"metric {metric.name}: a label {error}") from None
    return score_dataset(metric, data, sample)
