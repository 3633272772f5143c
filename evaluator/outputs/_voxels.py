"""Turns stored voxels into labels and remembers what was wrong with any of them.

A voxel counts as the nearest whole number where it differs from it by no more than 0.0001, or, where whole numbers
are stored with a scale, by half a step of that scale but at most 0.01: that is rounding of whoever wrote the
file, and a label keeps its meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.outputs._nifti import Header
from evaluator.outputs._result import InvalidOutput
from evaluator.verdicts import Check

_BLOCK = 1 << 20
_ROUNDING = 1e-4
_LARGEST_STEP = 0.01


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


@dataclass
class _Failed:
    """The voxels that one check failed for: the first, by place and value, and how many."""

    value: float
    place: int
    count: int


class VoxelSieve:
    """Judges the voxels of one image, block by block; all are seen before the first failed check is named.

    rounded: whether a voxel so far was no whole number, but near enough to one.
    """

    def __init__(self, labels: Sequence[int], header: Header) -> None:
        self.rounded = False
        self._allowed = np.array(sorted(labels), dtype=np.int64)
        self._contiguous = _contiguous(labels)
        self._header = header
        self._scaled = (header.slope, header.intercept) != (1.0, 0.0)
        self._failed: dict[Check, _Failed] = {}
        self._seen = 0

    def labels(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The labels of the next block; where a check failed they mean nothing."""
        labels = self._labels(stored)
        self._seen += len(stored)
        return labels

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
                raise InvalidOutput(check, message, self._detail(self._failed[check]))

    def _detail(self, failed: _Failed) -> str:
        place = np.unravel_index(failed.place, self._header.shape, order="F")
        where = ", ".join(str(int(index)) for index in place)
        voxels = "1 voxel" if failed.count == 1 else f"{failed.count} voxels"
        return f"found {failed.value:.9g}, {voxels} in all, the first at ({where})"

    def _labels(self, stored: NDArray[Any]) -> NDArray[Any]:
        if stored.dtype.kind in "iu" and not self._scaled:
            if self._contiguous and self._allowed[0] <= stored.min() and stored.max() <= self._allowed[-1]:
                return stored  # nearly every block, and two passes without a mask
            self._note(Check.LABELS, self._outside(stored), stored)
            return stored
        whole = self._whole(stored)
        self._note(Check.LABELS, self._outside(whole), whole)
        return whole.astype(np.int64) if not self._failed else np.zeros(len(whole), np.int64)

    def _whole(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """The scaled values as whole numbers, in float64."""
        header = self._header
        with np.errstate(over="ignore", invalid="ignore"):
            values = stored.astype(np.float64)
            tolerance: Any = _ROUNDING
            if self._scaled:
                tolerance = self._tolerance(values, stored.dtype.kind)
                values = values * header.slope + header.intercept
            finite = np.isfinite(values)
            whole = np.rint(values)
            apart = np.abs(values - whole)
            broken = finite & ~(apart <= tolerance)
        self.rounded = self.rounded or bool((apart > 0).any())
        self._note(Check.FINITE, ~finite, values)
        self._note(Check.INTEGER_VALUES, broken, values)
        whole[~finite] = 0
        return whole

    def _tolerance(self, stored: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
        """How far each scaled value may lie from a whole number; slope and intercept are themselves rounded."""
        slope, intercept = abs(self._header.slope), abs(self._header.intercept)
        step = min(slope / 2, _LARGEST_STEP) if kind in "iu" else 0.0
        rounding = self._header.precision * (np.abs(stored) * slope + intercept)
        allowed: NDArray[np.float64] = max(step, _ROUNDING) + rounding
        return allowed

    def _outside(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        if self._contiguous:
            outside: NDArray[np.bool_] = (values < self._allowed[0]) | (values > self._allowed[-1])
            return outside
        return np.isin(values, self._allowed, invert=True)

    def _note(self, check: Check, where: NDArray[np.bool_], values: NDArray[Any]) -> None:
        count = int(np.count_nonzero(where))
        if not count:
            return
        if check in self._failed:
            self._failed[check].count += count
        else:
            first = int(where.argmax())
            self._failed[check] = _Failed(float(values[first]), self._seen + first, count)
