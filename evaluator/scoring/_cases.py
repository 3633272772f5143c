"""Boards of single-case metrics: one value per case and metric, then their mean."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.manifest import ReferenceMap
from evaluator.metrics import CaseData, CaseMetric
from evaluator.metrics.influence import of_mean
from evaluator.metrics.segmentation import score_case, score_missing_case
from evaluator.metrics.weighted import weighted_mean
from evaluator.outputs import LabelMap, SegmentationOutput, Value, same_affine
from evaluator.scoring._intervals import interval_of, metric_report
from evaluator.scoring._report import Extras, MetricReport, Report
from evaluator.scoring._values import BoundMetric, Job, Sample, ScoringError, resample


def score_segmentations(job: Job) -> Report:
    """The report of a segmentation board; every case of the manifest weighs the same.

    Raises:
        ScoringError: a metric is not one of single cases.
        evaluator.manifest.ManifestError: a reference label map is missing or unusable.
    """
    if not isinstance(job.task.output, SegmentationOutput):
        raise ScoringError(f"board {job.name}: its task writes no segmentations")
    task = job.task.output
    plugins = {key: (_case_metric(key, metric), metric.parameters) for key, metric in job.metrics.items()}
    values: dict[str, list[float]] = {key: [] for key in plugins}
    spacing: list[tuple[float, ...]] = []
    elsewhere: list[str] = []
    missing = wrong_shape = 0
    for case in job.manifest.names:
        reference, found = job.references.label_map(case, task), job.read(case)
        output = _labels(found)
        if isinstance(found, LabelMap) and not same_affine(found.affine, reference.affine):
            elsewhere.append(case)
        fits = output is not None and output.shape == reference.labels.shape
        missing += output is None
        wrong_shape += output is not None and not fits
        spacing.append(reference.spacing_mm)
        for key, value in _values(plugins, output if fits else None, reference).items():
            values[key].append(value)
    sample = resample(job, job.manifest.names, [""] * len(spacing))
    return Report(
        board=job.name,
        cases=job.manifest.names,
        per_case={key: tuple(finite(one) for one in found) for key, found in values.items()},
        metrics={key: mean_report(plugins[key][0], np.array(found), sample) for key, found in values.items()},
        extras=Extras(
            dataset=job.manifest.digest,
            missing=missing,
            wrong_shape=wrong_shape,
            other_affine=tuple(elsewhere),
            spacing_mm=tuple(spacing),
        ),
    )


def _case_metric(key: str, metric: BoundMetric) -> CaseMetric:
    if not isinstance(metric.plugin, CaseMetric):
        raise ScoringError(f"metric {key}: {metric.name} is not a metric of segmentations")
    return metric.plugin


def _labels(output: Value | None) -> npt.NDArray[Any] | None:
    return output.array if isinstance(output, LabelMap) else None


def _values(
    plugins: Mapping[str, tuple[CaseMetric, Any]], output: npt.NDArray[Any] | None, reference: ReferenceMap
) -> dict[str, float]:
    if output is None:
        return score_missing_case(plugins)
    return score_case(CaseData(output, reference.labels, reference.spacing_mm), plugins)


def finite(value: float) -> float | None:
    """A value as reports have it: None where it is undefined."""
    return value if math.isfinite(value) else None


def mean_report(plugin: CaseMetric, values: npt.NDArray[np.float64], sample: Sample) -> MetricReport:
    """Mean over the cases, shape (cases,), in which the metric is not NaN; with interval, replicates and influence."""
    known = values[~np.isnan(values)]
    if not len(known):
        return MetricReport(value=None, reason="The metric is undefined for every case.")
    influence = of_mean(values) if len(known) > 1 else None
    value, drawn = math.fsum(known) / len(known), weighted_mean(values, sample.counts)
    bounds = interval_of(plugin, value, drawn, sample, influence)
    return metric_report(value, drawn, sample, bounds, influence)
