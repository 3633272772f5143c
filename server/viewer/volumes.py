"""Volumes in memory, turned so that their axes run to the patient's right, front and head. Nothing is resampled."""

import itertools
import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from gzip import BadGzipFile
from pathlib import Path
from typing import Any, cast

import numpy as np
from isal import igzip, igzip_lib
from numpy.typing import NDArray

from evaluator.outputs import Header, HeaderError, read_header
from server.datasets.headers import Geometry

_ENDS = ("LR", "PA", "IS")
"""What lies at the two ends of each axis of the world, as NIfTI has it."""
_MOST_VOXELS = 1 << 27
_SAMPLED = 1 << 18
_BLOCK = 1 << 22
_LOWEST, _HIGHEST = 1.0, 99.5
_DAMAGED: tuple[type[Exception], ...] = (
    EOFError,
    BadGzipFile,
    cast("type[Exception]", igzip_lib.IsalError),
)
_KEPT_BYTES = 256 * 2**20


class CannotDraw(Exception):
    """A volume that is not drawn; the message, a sentence, says why."""


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume whose axes run, as nearly as its voxels lie, from left to right, back to front and foot to head.

    stored: the letters to which the axes of the file run, such as LPS. oblique: degrees by which an axis of the voxels
    leans from the one that it is named after, at most. usual: the grey window that shows what is there.
    """

    voxels: NDArray[Any]
    slope: float
    intercept: float
    affine: NDArray[np.float64]
    stored: str
    oblique: float
    usual: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        return self.voxels.shape[0], self.voxels.shape[1], self.voxels.shape[2]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres of a step along each axis."""
        steps = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return float(steps[0]), float(steps[1]), float(steps[2])

    @property
    def millilitres(self) -> float:
        """The volume of one voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    @cached_property
    def labels(self) -> Mapping[int, int]:
        """How many voxels each label of a label map has."""
        found: Counter[float] = Counter()
        flat = self.voxels.ravel(order="K")
        for start in range(0, flat.size, _BLOCK):
            block = flat[start : start + _BLOCK]
            if block.dtype.kind == "u" and block.dtype.itemsize <= 2:  # ten times as fast as to sort them
                counts = np.bincount(block)
                found.update({float(value): int(counts[value]) for value in np.nonzero(counts)[0]})
            else:
                values, counts = np.unique(block, return_counts=True)
                found.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        whole: Counter[int] = Counter()
        for value, count in found.items():
            whole[round(value * self.slope + self.intercept)] += count
        return whole

    def same_place(self, other: "Volume") -> bool:
        """Whether both have the same grid, so that one may be drawn over the other."""
        mine, theirs = (
            Geometry(one.shape, tuple(tuple(row) for row in one.affine.tolist())) for one in (self, other)
        )
        return mine.same_place(theirs)

    def value(self, place: tuple[int, int, int]) -> float:
        """What the voxel at this place says."""
        return float(self.voxels[place]) * self.slope + self.intercept


def volume_of(
    voxels: NDArray[Any], affine: NDArray[np.float64], *, slope: float = 1.0, intercept: float = 0.0
) -> Volume:
    """Voxels as a file stores them, turned; axes are swapped and reversed, and no value changes.

    Raises:
        CannotDraw: the affine says nothing about where the voxels lie.
    """
    steps = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if not np.isfinite(affine).all() or not (steps > 0).all():
        raise CannotDraw("The header of the file does not say where its voxels lie.")
    cosines = affine[:3, :3] / steps
    order = max(
        itertools.permutations(range(3)),
        key=lambda axes: sum(abs(cosines[row, axes[row]]) for row in range(3)),
    )
    towards = [cosines[row, order[row]] for row in range(3)]
    turned = np.transpose(voxels, order)
    moved = affine[:, [*order, 3]].copy()
    for axis, cosine in enumerate(towards):
        if cosine < 0:
            turned = np.flip(turned, axis)
            moved[:3, 3] += moved[:3, axis] * (turned.shape[axis] - 1)
            moved[:3, axis] *= -1
    stored = ["", "", ""]
    for row, axis in enumerate(order):
        stored[axis] = _ENDS[row][int(cosines[row, axis] > 0)]
    leaning = math.degrees(math.acos(min(1.0, min(abs(cosine) for cosine in towards))))
    return Volume(turned, slope, intercept, moved, "".join(stored), leaning, _usual(voxels, slope, intercept))


def _usual(voxels: NDArray[Any], slope: float, intercept: float) -> tuple[float, float]:
    """From the 1st to the 99.5th percentile of a sample of what is not 0, which mostly is air or was cut away."""
    flat = voxels.ravel(order="K")
    sample = flat[:: max(1, flat.size // _SAMPLED)].astype(np.float64)
    sample = sample[np.isfinite(sample) & (sample != 0)]
    if not sample.size:
        return 0.0, 1.0
    low, high = (np.percentile(sample, (_LOWEST, _HIGHEST)) * slope + intercept).tolist()
    low, high = min(low, high), max(low, high)
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def read_volume(path: Path) -> Volume:
    """The volume in a gzipped or plain NIfTI file of the platform's own trees.

    Raises:
        CannotDraw: it is too large, damaged, or no volume of numbers.
        OSError: it cannot be read.
    """
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        try:
            header, content = _content(igzip.IGzipFile(fileobj=plain) if packed else plain)
        except HeaderError as error:
            raise CannotDraw(f"The file cannot be read as a NIfTI volume: {error}.") from None
        except _DAMAGED:
            raise CannotDraw("The file is damaged.") from None
    voxels = np.frombuffer(content, header.dtype).reshape(header.shape, order="F")
    return volume_of(voxels, header.affine, slope=header.slope, intercept=header.intercept)


def _content(file: Any) -> tuple[Header, bytes]:
    header = read_header(file.read)[0]
    if len(header.shape) != 3 or header.dtype is None:
        raise CannotDraw("Only volumes with three dimensions of numbers are drawn.")
    if header.voxels > _MOST_VOXELS:
        raise CannotDraw(
            f"It has {header.voxels / 1e6:,.0f} million voxels, and this server draws at most "
            f"{_MOST_VOXELS / 1e6:,.0f} million: open the file with a viewer of your own."
        )
    file.seek(header.data_offset)
    content = file.read(header.voxels * header.dtype.itemsize)
    if len(content) < header.voxels * header.dtype.itemsize:
        raise CannotDraw("The file ends before its voxels do.")
    return header, content


class Memory:
    """Volumes that were looked at lately, so that the next slice costs no unpacking; two requests unpack one once."""

    def __init__(self, most: int = _KEPT_BYTES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Volume] = OrderedDict()

    def get(self, key: str, read: Callable[[], Volume]) -> Volume:
        """The volume under `key`, read unless it is here; what `read` raises is raised."""
        with self._lock:
            volume = self._kept.pop(key, None)
            volume = read() if volume is None else volume
            self._kept[key] = volume
            while len(self._kept) > 1 and sum(one.voxels.nbytes for one in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
            if volume.voxels.nbytes > self._most:
                del self._kept[key]
            return volume
