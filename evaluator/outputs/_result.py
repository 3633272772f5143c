"""What a check says."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.verdicts import Check


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A segmentation: `array` of the smallest unsigned integers that hold its labels, and its 4×4 affine."""

    array: NDArray[np.unsignedinteger]
    affine: NDArray[np.float64]

    def __array__(
        self, dtype: np.dtype[np.generic] | None = None, copy: bool | None = None
    ) -> NDArray[np.generic]:
        """The labels, so that NumPy functions take a label map."""
        return np.array(self.array, dtype=dtype, copy=copy)


Value = Any
"""What an output holds, as its kind makes it: a float, a tuple with a score per class, a `LabelMap`, a vector."""


@dataclass(frozen=True)
class CheckResult:
    """Whether one output file is valid.

    `message` and `warnings` come from a closed set of sentences without names or values, because on hidden
    data everything a container writes could carry data out. `detail` may hold values and the names of files:
    it is for whoever owns both the output and the data.
    """

    valid: bool
    check: Check | None
    message: str
    warnings: tuple[str, ...] = ()
    value: Value | None = None
    detail: str = ""


class InvalidOutput(Exception):
    """An output check failed; becomes a `CheckResult`."""

    def __init__(self, check: Check, message: str, detail: str = "") -> None:
        self.check = check
        self.message = message
        self.detail = detail
        super().__init__(message)


class InputUnreadable(Exception):
    """An input that the output must be compared with cannot be read: the platform's fault."""


class NotCanonical(ValueError):
    """These bytes are not what `encode` writes."""
