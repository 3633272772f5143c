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

    project: Callable[..., None]
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
            compiled(project, types.void(given(octet), octets, octets)),
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


def project(octets: _Bytes, held: _Bytes, shadow: _Bytes) -> None:
    """Join the bytes of so many planes by OR: each plane's to one, and all planes to a plane.

    Four planes are read side by side, for memory answers several streams faster than one.

    Args:
        octets: the planes, one after the other.
        held: receives a byte per plane, 0 where all of the plane's are.
        shadow: zeros, the size of a plane.
    """
    planes, size = len(held), len(shadow)
    quarter = planes // 4
    for i in range(quarter):
        one = octets[i * size : (i + 1) * size]
        two = octets[(i + quarter) * size : (i + quarter + 1) * size]
        three = octets[(i + 2 * quarter) * size : (i + 2 * quarter + 1) * size]
        four = octets[(i + 3 * quarter) * size : (i + 3 * quarter + 1) * size]
        a = b = c = d = np.uint8(0)
        for k in range(size):
            a, b = np.uint8(a | one[k]), np.uint8(b | two[k])
            c, d = np.uint8(c | three[k]), np.uint8(d | four[k])
        held[i], held[i + quarter] = a, b
        held[i + 2 * quarter], held[i + 3 * quarter] = c, d
        if a | b | c | d:
            for k in range(size):
                shadow[k] |= one[k] | two[k] | three[k] | four[k]
    for i in range(4 * quarter, planes):
        last = octets[i * size : (i + 1) * size]
        a = np.uint8(0)
        for k in range(size):
            a = np.uint8(a | last[k])
            shadow[k] |= last[k]
        held[i] = a


def encode(
    voxels: _Bytes,
    codes: _Bytes,
    words: NDArray[np.uint64],
    grid: _Indices,
    histogram: _Indices,
    elements: _Indices,
) -> int:
    """Write the code of every neighbourhood, count them, and list the elements.

    Args:
        voxels: the mask, 0 or 1.
        codes: zeros, laid out as a `Grid`.
        words: the same memory as whole words.
        grid: the grid's start, plane and row, all multiples of 8.
        histogram: zeros, shape (256,).
        elements: room for as many elements as are worth a list, and 8 more.

    Returns:
        the number of elements; where that is more than are worth a list, they are not all listed.
    """
    start, plane, row = grid[0], grid[1], grid[2]
    planes, rows, length = voxels.shape
    # Two planes of the mask, laid out as the grid's: their loops have no row ends, and become vector instructions.
    near, behind = np.zeros(plane + row + 8, np.uint8), np.zeros(plane + row + 8, np.uint8)
    line = np.empty(plane + 8, np.uint8)
    room = len(elements) - 8
    count = 0
    for i in range(planes + 1):
        near, behind = behind, near
        for j in range(rows):
            target = behind[(j + 1) * row + 1 : (j + 1) * row + 1 + length]
            if i < planes:
                target[:] = voxels[i, j]
            else:
                target[:] = 0
        below, beyond, following = near[row:], behind[row:], line[1:]
        for k in range(len(line)):
            line[k] = near[k] | behind[k] << 1 | below[k] << 2 | beyond[k] << 3
        begin = start + i * plane
        out = codes[begin : begin + plane]
        for k in range(len(out)):
            code = np.uint8(line[k] | following[k] << 4)
            out[k] = code if code != 255 else np.uint8(0)
        first = begin >> 3
        for number, word in enumerate(words[first : first + (plane >> 3)]):
            if word:
                at = (first + number) << 3
                # Which of the eight are elements is not foreseen: writing all and counting on costs no branch.
                for one in range(at, at + 8):
                    code = codes[one]
                    if count <= room:
                        elements[count] = one
                    count += code != 0
                    histogram[code] += 1
    histogram[0] = 0
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
    fours = len(offsets) & ~3
    count = 0
    for at in left:
        met = np.uint8(0)
        for k in range(0, fours, 4):
            met = np.uint8(
                other[at + offsets[k]]
                | other[at + offsets[k + 1]]
                | other[at + offsets[k + 2]]
                | other[at + offsets[k + 3]]
            )
            if met:
                break
        if not met:
            for k in range(fours, len(offsets)):
                met |= other[at + offsets[k]]
        kept[count] = at
        count += met == 0
        histogram[own[at]] += met != 0
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
