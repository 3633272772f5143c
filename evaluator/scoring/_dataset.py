"""Boards of whole-dataset metrics over one number per case."""

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, DatasetMetric, NotScored
from evaluator.outputs import NumberOutput, Value
from evaluator.scoring._intervals import dataset_interval, metric_report
from evaluator.scoring._report import Extras, MetricReport, Report
from evaluator.scoring._values import BoundMetric, Job, Sample, ScoringError, resample


def score_numbers(job: Job) -> Report:
    """The report of a board over numbers: classification with labels 0 and 1, or regression.

    Raises:
        ScoringError: a metric is not one of whole datasets.
        evaluator.manifest.ManifestError: a case has no label.
    """
    if not isinstance(job.task.output, NumberOutput):
        raise ScoringError(f"board {job.name}: its task writes no numbers")
    output_of, cases = job.task.output, job.manifest.names
    labels = np.array([job.references.label(case, output_of) for case in cases])
    outputs = [_number(job.read(case)) for case in cases]
    sample = resample(job, cases, _classes(labels))
    metrics = {}
    for key, metric in job.metrics.items():
        plugin = dataset_metric(key, metric)
        scores = [
            plugin.replace(label, 2, metric.parameters)[0] if output is None else output
            for label, output in zip(labels, outputs, strict=True)
        ]
        data = DatasetData(labels, np.array(scores))
        metrics[key] = score_dataset(metric, data, sample)
    extras = Extras(dataset=job.manifest.digest, missing=sum(output is None for output in outputs))
    return Report(board=job.name, cases=cases, per_case={}, metrics=metrics, extras=extras)


def dataset_metric(key: str, metric: BoundMetric) -> DatasetMetric:
    """The plugin of a metric of whole datasets.

    Raises:
        ScoringError: it is a metric of single cases.
    """
    if not isinstance(metric.plugin, DatasetMetric):
        raise ScoringError(f"metric {key}: {metric.name} is not a metric of whole datasets")
    return metric.plugin


def score_dataset(metric: BoundMetric, data: DatasetData, sample: Sample) -> MetricReport:
    """Value, interval, replicates and influence of one metric; where it is undefined, the reason."""
    plugin = dataset_metric(metric.name, metric)
    try:
        value = plugin.score(data, metric.parameters)
    except NotScored as undefined:
        return MetricReport(value=None, reason=undefined.reason)
    except ValueError as error:  # labels that are none of this metric's: outputs are checked, references not
        raise ScoringError(f"references.csv: metric {metric.name}: {error}") from None
    drawn, influence, bounds = dataset_interval(plugin, value, data, metric.parameters, sample)
    return metric_report(value, drawn, sample, bounds, influence, note=plugin.interval_note)


def _number(output: Value | None) -> float | None:
    return output if isinstance(output, float) else None


def _classes(labels: npt.NDArray[np.float64]) -> list[str]:
    """Labels 0, however it is signed, and 1 are classes; other numbers, such as ages, are none."""
    binary = bool(np.isin(labels, (0, 1)).all())
    return [f"{label + 0.0:g}" if binary else "" for label in labels]
