"""Metrics as functions of arrays and units; what an empty or undefined case earns is stated at each."""

from evaluator.metrics._decorators import case_metric, dataset_metric
from evaluator.metrics._errors import MetricFailed, NotScored
from evaluator.metrics._plugin import (
    CaseData,
    CaseMetric,
    DatasetData,
    DatasetMetric,
    MetricPlugin,
    Parameters,
)

__all__ = [
    "CaseData",
    "CaseMetric",
    "DatasetData",
    "DatasetMetric",
    "MetricFailed",
    "MetricPlugin",
    "NotScored",
    "Parameters",
    "case_metric",
    "dataset_metric",
]
