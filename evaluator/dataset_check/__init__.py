"""Whether a dataset can be scored, found out before anybody submits and with the code that scores."""

from evaluator.dataset_check._check import check_dataset
from evaluator.dataset_check._finding import Finding, Severity

__all__ = ["Finding", "Severity", "check_dataset"]
