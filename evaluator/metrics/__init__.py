"""Metrics as functions of arrays and units; what an empty or undefined case earns is stated at each."""

from evaluator.metrics._decorators import case_metric, dataset_metric
from evaluator.metrics._errors import MetricFailed, NotScored
from evaluator.metrics._plugin import (
    CaseData,
    CaseMetric,
    DatasetData,
    DatasetMetric,
    Direction,
    MetricPlugin,
    Parameters,
    Reads,
    Scope,
    Test,
    Values,
)

__all__ = [
    "CaseData",
    "CaseMetric",
    "DatasetData",
    "DatasetMetric",
    "Direction",
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
