"""Loops that numba compiles where it is installed; without it, and in short runs, numpy does the same work.

The kernels are plain functions, and every result is the one that numpy gives, whole numbers throughout.
Importing numba takes about a second, and compiling some seconds more, once per installation: machine code is
kept beside this file, or where numba keeps it for a user. So nothing is loaded until a process has done as much
work in numpy as compiling would take. `EVALUATOR_COMPILED=1` loads at the first use instead, which suits a
worker that scores all day; `EVALUATOR_COMPILED=0` never does.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SWITCH = "EVALUATOR_COMPILED"
"""Variable of the environment: 1 compiles at the first use, 0 never."""
_WORTH = 10.0
"""Seconds of work in numpy after which compiling has paid for itself."""

_Bytes = NDArray[np.uint8]
_Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Kernels:
    """The compiled functions; see those of the same names."""

    encode: Callable[..., int]
    meet: Callable[..., int]
    tick: Callable[..., None]
    pairs_won: Callable[..., None]


@dataclass
class _Spent:
    """Seconds of work that this process has given to numpy."""

    seconds: float = 0.0


_spent = _Spent()


def kernels(seconds: float = 0.0) -> Kernels | None:
    """The compiled functions, or None where numpy is to be used.

    Args:
        seconds: what numpy will need for the work at hand, about; parts of work already counted give 0.
    """
    switch = os.environ.get(SWITCH, "")
    if switch == "0":
        return None
    if switch != "1" and _spent.seconds < _WORTH:
        _spent.seconds += seconds
        return None
    return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> Kernels | None:
    """All kernels, compiled for just the types they are called with, so that no later call compiles."""
    try:
        from numba import njit, types
    except ImportError:  # also raised by a numba that does not know this numpy
        return None

    def given(kind: Any, dimensions: int = 1) -> Any:
        return types.Array(kind, dimensions, "C", readonly=True)

    def compiled(function: Callable[..., Any], *signatures: Any) -> Callable[..., Any]:
        made: Callable[..., Any] = njit(list(signatures), cache=True, nogil=True)(function)
        return made

    whole, octet = types.int64, types.uint8
    indices, octets, words = whole[::1], octet[::1], types.uint64[::1]
    try:
        return Kernels(
            compiled(encode, whole(given(octet, 3), octets, words, given(whole), indices, indices)),
            compiled(meet, whole(given(octet), given(octet), given(whole), given(whole), indices, indices)),
            compiled(tick, types.void(given(octet), octets, given(whole), given(whole), indices)),
            compiled(
                pairs_won,
                *(
                    types.void(
                        given(kind, 2),
                        given(whole),
                        given(types.boolean),
                        given(types.boolean),
                        types.float64[::1],
                    )
                    for kind in (types.float32, types.float64)
                ),
            ),
        )
    except RuntimeError:  # there is no place to keep machine code, and compiling in every process is too slow
        return None


def encode(
    cells: _Bytes,
    codes: _Bytes,
    words: NDArray[np.uint64],
    grid: _Indices,
    histogram: _Indices,
    elements: _Indices,
) -> int:
    """Write the code of every neighbourhood, count them, and list the elements.

    Args:
        cells: the mask with one unset voxel around it.
        codes: zeros, laid out as a `Grid`.
        words: the same memory as whole words.
        grid: the grid's start, plane and row, all multiples of 8.
        histogram: zeros, shape (256,).
        elements: room for as many elements as are worth a list.

    Returns:
        the number of elements; where it exceeds the room, only as many are listed.
    """
    start, plane, row = grid[0], grid[1], grid[2]
    planes, rows, length = cells.shape
    line = np.empty(length, np.uint8)
    following = line[1:]  # views, whose indices compilers see to be valid: loops become vector instructions
    count = 0
    for i in range(planes - 1):
        for j in range(rows - 1):
            near, behind = cells[i, j], cells[i + 1, j]
            below, beyond = cells[i, j + 1], cells[i + 1, j + 1]
            for k in range(length):
                line[k] = near[k] | behind[k] << 1 | below[k] << 2 | beyond[k] << 3
            begin = start + i * plane + j * row
            out = codes[begin : begin + length - 1]
            for k in range(len(out)):
                code = np.uint8(line[k] | following[k] << 4)
                out[k] = code if code != 255 else np.uint8(0)
            first = begin >> 3
            for number, word in enumerate(words[first : (begin + length + 6) >> 3]):
                if word:
                    for at in range((first + number) << 3, (first + number + 1) << 3):
                        if codes[at]:
                            histogram[codes[at]] += 1
                            if count < len(elements):
                                elements[count] = at
                            count += 1
    return count


def meet(
    own: _Bytes, other: _Bytes, left: _Indices, offsets: _Indices, histogram: _Indices, kept: _Indices
) -> int:
    """Sort out the elements `left` from which one of the offsets leads to an element of `other`.

    Args:
        own: the codes of the elements' surface.
        other: the codes of the other surface, on the same grid.
        left: indices of elements.
        offsets: what to add to an index.
        histogram: zeros, shape (256,); receives the codes of the elements that meet the other surface.
        kept: receives the elements that do not; may be `left` itself.

    Returns:
        the number kept.
    """
    count = 0
    for at in left:
        met = False
        for offset in offsets:
            if other[at + offset]:
                met = True
                break
        if met:
            histogram[own[at]] += 1
        else:
            kept[count] = at
            count += 1
    return count


def tick(own: _Bytes, still: _Bytes, others: _Indices, offsets: _Indices, histogram: _Indices) -> None:
    """Tick off the elements that an offset leads to from one of `others`.

    Args:
        own: the codes of the elements' surface.
        still: 1 where an element has not been ticked off.
        others: the other surface's elements.
        offsets: what to add to an index.
        histogram: zeros, shape (256,); receives the codes of the elements that are ticked off.
    """
    for offset in offsets:
        for one in others:
            at = one + offset
            if still[at]:
                still[at] = 0
                histogram[own[at]] += 1


def pairs_won(
    counts: NDArray[np.floating[Any]],
    order: _Indices,
    positive: NDArray[np.bool_],
    ends: NDArray[np.bool_],
    won: NDArray[np.float64],
) -> None:
    """Twice the pairs of a positive and a negative that the positive wins, equal scores counting half.

    Args:
        counts: how often each case is in each resample, shape (cases, resamples).
        order: the cases by ascending score.
        positive: per place in that order, whether the case is positive.
        ends: per place, whether the next score is higher.
        won: receives the result, shape (resamples,).
    """
    resamples = counts.shape[1]
    lower = np.zeros(resamples, counts.dtype)
    here = np.zeros(resamples, counts.dtype)
    pending = np.zeros(resamples, counts.dtype)
    won[:] = 0
    for place in range(len(order)):
        row = counts[order[place]]
        if positive[place]:
            for one in range(resamples):
                pending[one] += row[one]
        else:
            for one in range(resamples):
                here[one] += row[one]
        if ends[place]:
            for one in range(resamples):
                won[one] += np.float64(pending[one]) * np.float64(lower[one] + lower[one] + here[one])
                lower[one] += here[one]
                here[one] = 0
                pending[one] = 0
