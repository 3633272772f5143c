"""Skeletons of masks, and how well two tubular masks hold each other's: clDice.

Thinning takes voxels away, layer by layer, whose removal changes no topology: simple points, which are told by the
components of their neighbourhood (G. Bertrand and G. Malandain 1994, https://doi.org/10.1016/0167-8655(94)90046-9).
Voxels are looked at in eight subfields, by whether each coordinate is even. No two of a subfield are neighbours, so a
whole subfield is taken at once and the result is that of one after the other (G. Bertrand and Z. Aktouf 1994,
https://doi.org/10.1117/12.198601). So no component, tunnel or cavity is lost or made.
"""

from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import mask
from evaluator.metrics.masks import box_of, cut
from evaluator.metrics.pairs import MaskPair, mask_pair

_Codes = NDArray[np.uint32]
"""Which of a voxel's 26 neighbours are set, a bit for each of `_STEPS`."""

_Voxels = NDArray[np.intp]
"""Where voxels lie in the block, flat."""

_STEPS = tuple(step for step in product((-1, 0, 1), repeat=3) if any(step))
_HALF = 13  # bits that one table is for


def _bits(farthest: int) -> np.uint32:
    """The neighbours with so many steps along axes at most: 1 for faces, 2 with edges."""
    chosen = (number for number, step in enumerate(_STEPS) if sum(map(abs, step)) <= farthest)
    return np.uint32(sum(1 << number for number in chosen))


_FACES, _EDGES = _bits(1), _bits(2)


def _tables(edges_only: bool) -> NDArray[np.uint32]:
    """Per half of the bits and its value, which neighbours touch one of these; by faces alone if `edges_only`."""

    def touch(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        apart = [abs(a - b) for a, b in zip(one, other, strict=True)]
        return sum(apart) <= 1 if edges_only else max(apart) <= 1

    around = [sum(1 << n for n, other in enumerate(_STEPS) if touch(step, other)) for step in _STEPS]
    halves = []
    for first in (0, _HALF):
        table = [0]
        for bits in around[first : first + _HALF]:
            table += [known | bits for known in table]
        halves.append(table)
    return np.array(halves, np.uint32)


_BY_CORNERS, _BY_FACES = _tables(False), _tables(True)


def cldice(pred: ArrayLike, ref: ArrayLike, *, both_empty: float = 1.0) -> float:
    """Harmonic mean of the shares of each mask's skeleton that the other mask holds, from 0 to 1.

    S. Shit et al. 2021 (https://doi.org/10.1109/CVPR46437.2021.01629), with skeletons as in `skeleton`. One empty mask
    gives 0, two give `both_empty`.

    Raises:
        ValueError: masks that are not boolean, not three-dimensional or of different shapes.
    """
    a, b = mask(pred, "pred"), mask(ref, "ref")
    if a.ndim != 3:
        raise ValueError(f"masks must be three-dimensional, not {a.shape}")
    return cldice_of(mask_pair(a, b), both_empty)


def cldice_of(pair: MaskPair, both_empty: float) -> float:
    """`cldice` of masks that share their work with other metrics."""
    if not (pair.size_a and pair.size_b):
        return 0.0 if pair.size_a or pair.size_b else both_empty
    # Along the image's axes, as a thin skeleton of an even width lies on one side.
    a, b = (own.T if pair.flipped else own for own in (pair.a, pair.b))
    precision, sensitivity = _held(a, b), _held(b, a)
    return 2 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0


def _held(own: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    thin = skeleton(own)
    return float(np.count_nonzero(thin & other) / np.count_nonzero(thin))


def skeleton(own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The curves that a mask of three dimensions thins down to, of its shape.

    It depends on the mask alone, not on where it lies in the image. Ends of curves, voxels with one neighbour, stay.
    """
    box = box_of(own)
    thin = np.zeros(own.shape, np.bool_)
    if box is not None:
        block = np.zeros([last - first + 2 for first, last in box], np.bool_)
        block[1:-1, 1:-1, 1:-1] = cut(own, box)
        _thin(block.reshape(-1).view(np.uint8), block.shape)
        cut(thin, box)[...] = block[1:-1, 1:-1, 1:-1]
    return thin


def _thin(flat: NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    """Thins the voxels of a block, 0 at its border, where they are."""
    steps = [(first * shape[1] + second) * shape[2] + third for first, second, third in _STEPS]
    faces = [step for number, step in enumerate(steps) if _FACES >> np.uint32(number) & 1]
    listed = np.zeros(len(flat), np.bool_)
    front = np.flatnonzero(flat)
    while len(front):
        front = front[_is_exposed(flat, front, faces)]
        fields = sum(axis % 2 << number for number, axis in enumerate(np.unravel_index(front, shape)))
        gone = []
        for field in range(8):
            voxels = front[fields == field]
            codes = _codes(flat, voxels, steps)
            gone.append(voxels[(codes & (codes - np.uint32(1)) != 0) & _is_simple(codes)])
            flat[gone[-1]] = 0
        front = _around(flat, np.concatenate(gone), steps, listed)


def _is_exposed(flat: NDArray[np.uint8], voxels: _Voxels, faces: list[int]) -> NDArray[np.bool_]:
    """Whether a face of each voxel lies at the background: one layer is taken at a time, from all sides."""
    exposed = np.zeros(len(voxels), np.bool_)
    for step in faces:
        exposed |= flat[voxels + step] == 0
    return exposed


def _around(flat: NDArray[np.uint8], gone: _Voxels, steps: list[int], listed: NDArray[np.bool_]) -> _Voxels:
    """The voxels beside those that went, each once: of all others, what was found before still holds."""
    found = [gone[:0]]
    for step in steps:
        voxels = gone + step
        voxels = voxels[(flat[voxels] != 0) & ~listed[voxels]]
        listed[voxels] = True
        found.append(voxels)
    around = np.concatenate(found)
    listed[around] = False
    return around


def _codes(flat: NDArray[np.uint8], voxels: _Voxels, steps: list[int]) -> _Codes:
    codes = np.zeros(len(voxels), np.uint32)
    for number, step in enumerate(steps):
        codes |= flat[voxels + step].astype(np.uint32) << np.uint32(number)
    return codes


def _is_simple(codes: _Codes) -> NDArray[np.bool_]:
    """Whether the neighbours are one component, and the background at the voxel's faces is one within the edges."""
    free = ~codes & _EDGES
    outside = free & _FACES
    one = (codes != 0) & (_reached(_lowest(codes), codes, _BY_CORNERS) == codes)
    around = _reached(_lowest(outside), free, _BY_FACES)
    simple: NDArray[np.bool_] = one & (outside != 0) & (outside & ~around == 0)
    return simple


def _lowest(codes: _Codes) -> _Codes:
    """The first neighbour that is set, if one is."""
    return codes & (~codes + np.uint32(1))


def _reached(start: _Codes, within: _Codes, tables: NDArray[np.uint32]) -> _Codes:
    """What of `within` hangs together with `start`, a part of it."""
    while True:
        low, high = start & np.uint32((1 << _HALF) - 1), start >> np.uint32(_HALF)
        grown = (tables[0][low] | tables[1][high]) & within
        if np.array_equal(grown, start):
            return start
        start = grown
