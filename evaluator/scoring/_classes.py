"""Boards of whole-dataset metrics over one score per class and case."""

import numpy as np

from evaluator.metrics import DatasetData
from evaluator.outputs import ScoresOutput
from evaluator.scoring._dataset import dataset_metric, score_dataset
from evaluator.scoring._report import Extras, Report
from evaluator.scoring._values import Job, ScoringError, resample


def score_classes(job: Job) -> Report:
    """The report of a board over class scores; labels are names of classes.

    Raises:
        ScoringError: a metric is not one of whole datasets.
        evaluator.manifest.ManifestError: a case has no label, or one that is no class of the task.
    """
    if not isinstance(job.task.output, ScoresOutput):
        raise ScoringError(f"board {job.name}: its task writes no class scores")
    classes, cases = job.task.output.classes, job.manifest.names
    labels = np.array([np.argmax(job.references.label(case, job.task.output)) for case in cases])
    outputs = [job.read(case) for case in cases]
    sample = resample(job, cases, [classes[label] for label in labels])
    metrics = {}
    for key, metric in job.metrics.items():
        plugin = dataset_metric(key, metric)
        rows = [
            plugin.replace(label, len(classes), metric.parameters) if output is None else output
            for label, output in zip(labels, outputs, strict=True)
        ]
        metrics[key] = score_dataset(metric, DatasetData(labels, np.array(rows, dtype=np.float64)), sample)
    extras = Extras(dataset=job.manifest.digest, missing=sum(output is None for output in outputs))
    return Report(board=job.name, cases=cases, per_case={}, metrics=metrics, extras=extras)
