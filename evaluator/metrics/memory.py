"""Memory that one case leaves to the next.

The first touch of fresh memory costs more than most of what is done with a mask afterwards, and what a case frees
mostly goes back to the system. So arrays of middling size are made in blocks that are kept: an array and every
view of it hold a `_Lease`, and its block is free again when the last of them is gone.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_SMALLEST, _LARGEST = 1 << 16, 1 << 22
"""Bytes of a block, powers of two: what is smaller is kept anyway, what is larger comes in huge pages."""
_KEPT = 8
"""Blocks of one size that wait for the next case."""

_free: dict[int, list[NDArray[np.uint8]]] = {}


class _Lease:
    """A block in use; numpy makes an array of it, and keeps it while the array or a view of it lives."""

    def __init__(self, block: NDArray[np.uint8]) -> None:
        self._block = block
        self.__array_interface__: dict[str, Any] = block.__array_interface__

    def __del__(self) -> None:
        waiting = _free.setdefault(len(self._block), [])
        if len(waiting) < _KEPT:
            waiting.append(self._block)


def empty(length: int, dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    """An array of `length` entries that hold anything."""
    octets = length * np.dtype(dtype).itemsize
    if not _SMALLEST <= octets <= _LARGEST:
        return np.empty(length, dtype)
    size = 1 << (octets - 1).bit_length()
    try:
        block = _free.setdefault(size, []).pop()
    except IndexError:
        block = np.empty(size, np.uint8)
    array: NDArray[Any] = np.asarray(_Lease(block))[:octets].view(dtype)
    return array


def zeros(length: int) -> NDArray[np.uint8]:
    """An array of `length` zero bytes."""
    if not _SMALLEST <= length <= _LARGEST:
        return np.zeros(length, np.uint8)
    array = empty(length)
    array.fill(0)
    return array


def copied(array: NDArray[Any]) -> NDArray[Any]:
    """A copy of `array`, in one piece."""
    copy: NDArray[Any] = empty(array.size, array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
