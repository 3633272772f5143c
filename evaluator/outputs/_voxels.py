"""Turns stored voxels into labels and remembers what was wrong with any of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.outputs._nifti import Header
from evaluator.outputs._result import InvalidOutput
from evaluator.verdicts import Check

_BLOCK = 1 << 20


def smallest_dtype(labels: Sequence[int]) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned integers that hold every label."""
    return np.min_scalar_type(max(labels))


def only(labels: Sequence[int], values: NDArray[np.unsignedinteger]) -> bool:
    """Whether `values`, of any size, hold no other labels; needs little memory beside them."""
    if _contiguous(labels):
        return min(labels) <= int(values.min()) and int(values.max()) <= max(labels)
    flat = values.reshape(-1, order="A")
    return all(
        bool(np.isin(flat[start : start + _BLOCK], list(labels)).all())
        for start in range(0, flat.size, _BLOCK)
    )


def _contiguous(labels: Sequence[int]) -> bool:
    return len(set(labels)) == max(labels) - min(labels) + 1


class VoxelSieve:
    """Judges the voxels of one image, block by block; all are seen before the first failed check is named."""

    def __init__(self, labels: Sequence[int], header: Header) -> None:
        self._allowed = np.array(sorted(labels), dtype=np.int64)
        self._contiguous = _contiguous(labels)
        self._header = header
        self._scaled = (header.slope, header.intercept) != (1.0, 0.0)
        self._failed: dict[Check, float] = {}

    def labels(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The labels of one block; where a check failed they mean nothing."""
        if stored.dtype.kind in "iu" and not self._scaled:
            if self._contiguous and self._allowed[0] <= stored.min() and stored.max() <= self._allowed[-1]:
                return stored  # nearly every block, and two passes without a mask
            self._note(Check.LABELS, self._outside(stored), stored)
            return stored
        whole = self._whole(stored)
        self._note(Check.LABELS, self._outside(whole), whole)
        return whole.astype(np.int64) if not self._failed else np.zeros(len(whole), np.int64)

    def raise_if_invalid(self) -> None:
        """Raise InvalidOutput for the first check, in their order, that failed in any block."""
        messages = {
            Check.INTEGER_VALUES: "The image holds values that are not integers.",
            Check.FINITE: "The image holds values that are not finite.",
            Check.LABELS: "The image holds labels other than those of the task: "
            + ", ".join(str(label) for label in self._allowed),
        }
        for check, message in messages.items():
            if check in self._failed:
                raise InvalidOutput(check, message, f"found {self._failed[check]:g}")

    def _whole(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """The scaled values as whole numbers, in float64.

        Slope and intercept are stored rounded, so a scaled value counts as an integer where it differs from
        one by no more than that rounding; unscaled values must be integers exactly.
        """
        header = self._header
        with np.errstate(over="ignore", invalid="ignore"):
            values = stored.astype(np.float64)
            tolerance: Any = 0.0
            if self._scaled:
                tolerance = header.precision * (np.abs(values * header.slope) + abs(header.intercept))
                values = values * header.slope + header.intercept
            finite = np.isfinite(values)
            whole = np.rint(values)
            broken = finite & ~(np.abs(values - whole) <= tolerance)
        self._note(Check.FINITE, ~finite, values)
        self._note(Check.INTEGER_VALUES, broken, values)
        whole[~finite] = 0
        return whole

    def _outside(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        if self._contiguous:
            outside: NDArray[np.bool_] = (values < self._allowed[0]) | (values > self._allowed[-1])
            return outside
        return np.isin(values, self._allowed, invert=True)

    def _note(self, check: Check, where: NDArray[np.bool_], values: NDArray[Any]) -> None:
        if check not in self._failed and where.any():
            self._failed[check] = float(values[where.argmax()])
