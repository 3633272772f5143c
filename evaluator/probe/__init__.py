"""The linear probe on frozen embeddings: which cases it learns from, and how, in numpy alone."""

from evaluator.probe._split import Split, SplitError, split_cases
from evaluator.probe._train import ProbeResult, run_probe

__all__ = ["ProbeResult", "Split", "SplitError", "run_probe", "split_cases"]
