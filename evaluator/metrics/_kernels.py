"""The loops that `compiled` has numba compile, as plain functions: what numpy does in several steps, in one.

They are written for what compilers make of them. Every result is the one that numpy gives, whole numbers throughout.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Bytes = NDArray[np.uint8]
_Indices = NDArray[np.int64]


def project(octets: _Bytes, held: _Bytes, shadow: _Bytes) -> None:
    """Join the bytes of so many planes by OR: each plane's to one, and all planes to a plane.

    Four planes are read side by side, for memory answers several streams faster than one. Those that hold something
    are read again while they are near.

    Args:
        octets: the planes, one after the other.
        held: receives a byte per plane, 0 where all of the plane's are.
        shadow: zeros, the size of a plane.
    """
    planes, size = len(held), len(shadow)
    quarter = planes // 4
    for i in range(quarter):
        one, two = octets[i * size :], octets[(i + quarter) * size :]
        three, four = octets[(i + 2 * quarter) * size :], octets[(i + 3 * quarter) * size :]
        a = b = c = d = np.uint8(0)
        for k in range(size):
            a, b = np.uint8(a | one[k]), np.uint8(b | two[k])
            c, d = np.uint8(c | three[k]), np.uint8(d | four[k])
        held[i], held[i + quarter] = a, b
        held[i + 2 * quarter], held[i + 3 * quarter] = c, d
        for found, plane in ((a, one), (b, two), (c, three), (d, four)):
            if found:
                for k in range(size):
                    shadow[k] |= plane[k]
    for i in range(4 * quarter, planes):
        last = octets[i * size :]
        a = np.uint8(0)
        for k in range(size):
            a = np.uint8(a | last[k])
            shadow[k] |= last[k]
        held[i] = a


def encode(voxels: _Bytes, codes: _Bytes, grid: _Indices) -> None:
    """Write the code of every neighbourhood.

    Args:
        voxels: the mask, 0 or 1.
        codes: zeros, laid out as a `CodeLayout`.
        grid: the grid's start, plane and row.
    """
    start, plane, row = grid[0], grid[1], grid[2]
    planes, rows, length = voxels.shape
    # Two planes of the mask, laid out as the grid's: without row ends, loops become vector instructions.
    near, behind = np.zeros(plane + row + 1, np.uint8), np.zeros(plane + row + 1, np.uint8)
    line = np.empty(plane + 1, np.uint8)
    for i in range(planes + 1):
        near, behind = behind, near
        if i == planes:
            behind[:] = 0
        else:
            for j in range(rows):
                source, target = voxels[i, j], behind[(j + 1) * row + 1 :]
                for k in range(length):  # assigning the whole takes numba four times as long
                    target[k] = source[k]
        below, beyond, following = near[row:], behind[row:], line[1:]
        for k in range(len(line)):
            line[k] = near[k] | behind[k] << 1 | below[k] << 2 | beyond[k] << 3
        out = codes[start + i * plane : start + (i + 1) * plane]
        for k in range(len(out)):
            code = np.uint8(line[k] | following[k] << 4)
            out[k] = code if code != 255 else np.uint8(0)


def gather(codes: _Bytes, words: NDArray[np.uint64], histogram: _Indices, elements: _Indices) -> int:
    """Count codes and list their places.

    Args:
        codes: codes, 0 where there is none.
        words: the same memory as whole words.
        histogram: zeros, shape (256,).
        elements: room for as many elements as are worth a list, and 8 more.

    Returns:
        the number of elements; where that is more than are worth a list, they are not all listed.
    """
    room = len(elements) - 8
    count = 0
    for number, word in enumerate(words):
        if word:
            # Which of the eight are elements is not foreseen: writing all and counting on costs no branch.
            for at in range(number << 3, (number + 1) << 3):
                code = codes[at]
                if count <= room:
                    elements[count] = at
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
    count = 0
    if (
        len(offsets) <= 8
    ):  # whether an element meets the other surface is not foreseen, so nothing branches on it
        for at in left:
            met = np.uint8(0)
            for offset in offsets:
                met = np.uint8(met | other[at + offset])
            kept[count] = at
            count += met == 0
            histogram[own[at]] += met != 0
        return count
    fours = len(offsets) & ~3
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
                met = np.uint8(met | other[at + offsets[k]])
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
        for element in others:
            at = element + offset
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
            for draw in range(resamples):
                pending[draw] += row[draw]
        else:
            for draw in range(resamples):
                here[draw] += row[draw]
        if ends[place]:
            for draw in range(resamples):
                won[draw] += np.float64(pending[draw]) * np.float64(lower[draw] + lower[draw] + here[draw])
                lower[draw] += here[draw]
                here[draw] = 0
                pending[draw] = 0
