"""Output files: what counts as valid, and the one canonical form per kind that everything else reads."""

from evaluator.outputs._check import agree, check_and_encode, check_output, decode, encode
from evaluator.outputs._embedding import EmbeddingOutput
from evaluator.outputs._file import doubled_suffix
from evaluator.outputs._geometry import same_affine, sheared, spacing_problem, turned
from evaluator.outputs._image import LabelImage
from evaluator.outputs._labelmap import SegmentationOutput
from evaluator.outputs._nifti import Header, HeaderError, read_header
from evaluator.outputs._number import NumberOutput, TruthError, truth
from evaluator.outputs._reference import LabelMapError, read_label_map
from evaluator.outputs._result import (
    CheckResult,
    InputUnreadable,
    InvalidOutput,
    LabelMap,
    NotCanonical,
    Value,
)
from evaluator.outputs._scores import ScoresOutput
from evaluator.outputs._segmentation import content_size, input_header

__all__ = [
    "CheckResult",
    "EmbeddingOutput",
    "Header",
    "HeaderError",
    "InputUnreadable",
    "InvalidOutput",
    "LabelImage",
    "LabelMap",
    "LabelMapError",
    "NotCanonical",
    "NumberOutput",
    "ScoresOutput",
    "SegmentationOutput",
    "TruthError",
    "Value",
    "agree",
    "check_and_encode",
    "check_output",
    "content_size",
    "decode",
    "doubled_suffix",
    "encode",
    "input_header",
    "read_header",
    "read_label_map",
    "same_affine",
    "sheared",
    "spacing_problem",
    "truth",
    "turned",
]
