"""The table of built-in metrics."""

from evaluator.metrics._of_cases import CASE_METRICS
from evaluator.metrics._of_datasets import DATASET_METRICS
from evaluator.metrics._plugin import MetricPlugin

BUILT_IN: dict[str, MetricPlugin] = {metric.name: metric for metric in (*CASE_METRICS, *DATASET_METRICS)}
"""Every built-in metric by its name."""
