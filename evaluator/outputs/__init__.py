"""Output files: what counts as valid, and the one canonical form per kind that everything else reads."""

from evaluator.outputs._check import check_and_encode, check_output, decode, encode
from evaluator.outputs._file import doubled_suffix
from evaluator.outputs._reference import LabelMapError, read_label_map
from evaluator.outputs._result import CheckResult, InputUnreadable, LabelMap, NotCanonical, Value

__all__ = [
    "CheckResult",
    "InputUnreadable",
    "LabelMap",
    "LabelMapError",
    "NotCanonical",
    "Value",
    "check_and_encode",
    "check_output",
    "decode",
    "doubled_suffix",
    "encode",
    "read_label_map",
]
