"""Whether a dataset can be scored, found out before anybody submits and with the code that scores."""

from evaluator.dataset_check._check import check_dataset
from evaluator.dataset_check._finding import Finding, Severity
from evaluator.dataset_check._labels import read_truths
from evaluator.dataset_check._perfect import best, is_reached, light
from evaluator.dataset_check._sizes import interval_findings

__all__ = [
    "Finding",
    "Severity",
    "best",
    "check_dataset",
    "interval_findings",
    "is_reached",
    "light",
    "read_truths",
]
