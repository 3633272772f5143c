"""Label maps that a challenge brings along, read as outputs are; their voxel size is what metrics measure with."""

from pathlib import Path

from evaluator.outputs._geometry import spacing_problem
from evaluator.outputs._image import LabelImage, read_labels
from evaluator.outputs._labelmap import SegmentationOutput
from evaluator.outputs._nifti import Header
from evaluator.outputs._result import InvalidOutput
from evaluator.verdicts import Check

_MAX_VOXELS = 1 << 30
_VALUES = (Check.INTEGER_VALUES, Check.FINITE, Check.LABELS)


class LabelMapError(ValueError):
    """The file is no reference of the task; the message is a predicate such as "is missing".

    code: what it is about, "reference_map", "reference_spacing" or, for the values of voxels, "reference_labels".
    """

    def __init__(self, message: str, code: str = "reference_map") -> None:
        self.code = code
        super().__init__(message)


def read_label_map(output: SegmentationOutput, path: Path) -> LabelImage:
    """The label map in the file at `path`; the `spacing` of its header is positive, in mm, and the affine's.

    Raises:
        LabelMapError: the file is missing, or no label map that an output can be compared with.
    """
    try:
        with path.open("rb") as file:
            return read_labels(file, output.labels, _accept)
    except FileNotFoundError:
        raise LabelMapError("is missing") from None
    except OSError as error:
        raise LabelMapError(f"cannot be read: {error.strerror}") from None
    except InvalidOutput as error:
        detail = f" ({error.detail})" if error.detail else ""
        code = "reference_labels" if error.check in _VALUES else "reference_map"
        raise LabelMapError(f"cannot be used: {error.message.removesuffix('.')}{detail}", code) from None


def _accept(header: Header) -> None:
    if header.voxels > _MAX_VOXELS:
        raise LabelMapError(f"has more voxels than any image: {header.shape}")
    problem = spacing_problem(header)
    if problem is not None:
        raise LabelMapError(problem, "reference_spacing")
