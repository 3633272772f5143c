"""Metrics as functions of arrays and units; what an empty or undefined case earns is stated at each."""

from evaluator.metrics._decorators import case_metric, dataset_metric
from evaluator.metrics._errors import MetricFailed, NotScored
from evaluator.metrics._plugin import (
    DATASETS,
    SEGMENTATIONS,
    CaseData,
    CaseMetric,
    DatasetData,
    DatasetMetric,
    Direction,
    Draws,
    MetricPlugin,
    Parameters,
    Reads,
    Scope,
    Test,
    Values,
)

__all__ = [
    "DATASETS",
    "SEGMENTATIONS",
    "CaseData",
    "CaseMetric",
    "DatasetData",
    "DatasetMetric",
    "Direction",
    "Draws",
    "MetricFailed",
    "MetricPlugin",
    "NotScored",
    "Parameters",
    "Reads",
    "Scope",
    "Test",
    "Values",
    "case_metric",
    "dataset_metric",
]
