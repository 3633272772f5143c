"""The linear probe on frozen embeddings: which cases it learns from, and how, in numpy alone."""

from evaluator.probe._fits import Rows, probe_of, reference_of
from evaluator.probe._reference import PENALTIES, ReferenceFit, fit_reference
from evaluator.probe._split import Split, SplitError, split_cases
from evaluator.probe._train import ProbeResult, run_probe

__all__ = [
    "PENALTIES",
    "ProbeResult",
    "ReferenceFit",
    "Rows",
    "Split",
    "SplitError",
    "fit_reference",
    "probe_of",
    "reference_of",
    "run_probe",
    "split_cases",
]
