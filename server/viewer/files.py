"""Volumes as files for a viewer that turns them: NIfTI-1, packed with gzip, of nothing but voxels and their place.

No header of a file that somebody sent leaves: its texts may name people and hospitals. The grid is that of the slices,
so a place has the same coordinates in both.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from contract.problems import ErrorCode
from server.errors import NotFound, Unprocessable
from server.settings import Settings
from server.viewer import service
from server.viewer.service import Opened, Said
from server.viewer.volumes import Volume

REFERENCE, OUTPUT = "reference", "output"
"""What may be asked for beside the inputs of a case."""
MOST_VOXELS, LONGEST = 1 << 26, 2048
"""Of a volume that is handed out: a browser holds it several times over, and graphics cards take no longer axis."""
_CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "i1": 256, "u2": 512}
_OFFSET = 352
_MILLIMETRES, _ALIGNED = 2, 2
_PIECE = 1 << 22  # voxels that are converted and packed at once
_LEVEL, _GZIP = 1, 31
_WHOLE = ("u1", "i2", "i4")


@dataclass(frozen=True, eq=False)
class Packed:
    """A volume that is on its way out: `stored` says how a voxel is written."""

    volume: Volume
    stored: str
    label: bool

    def pieces(self) -> Iterator[bytes]:
        """The file, piece by piece; no piece is larger than a few million voxels."""
        packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
        yield packer.compress(self._header())
        wide, deep, high = self.volume.shape
        step = max(1, _PIECE // (wide * deep))
        for start in range(0, high, step):
            slab = self._written(self.volume.voxels[:, :, start : start + step])
            yield packer.compress(slab.tobytes(order="F"))
        yield packer.flush()

    def _written(self, voxels: NDArray[Any]) -> NDArray[Any]:
        wanted = np.dtype(self.stored).newbyteorder("<")
        if self.label:
            limits = np.iinfo(self.stored)
            values = np.rint(np.nan_to_num(self._values(voxels)))
            return np.clip(values, limits.min, limits.max).astype(wanted)
        with np.errstate(over="ignore"):
            return (self._values(voxels) if self.stored == "f4" else voxels).astype(wanted)

    def _values(self, voxels: NDArray[Any]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return voxels.astype(np.float64) * self.volume.slope + self.volume.intercept

    def _header(self) -> bytes:
        scaled = self.stored == "f4" or self.label
        slope, intercept = (1.0, 0.0) if scaled else (self.volume.slope, self.volume.intercept)
        out = bytearray(_OFFSET)
        struct.pack_into("<i", out, 0, 348)
        struct.pack_into("<8h", out, 40, 3, *self.volume.shape, 1, 1, 1, 1)
        struct.pack_into("<2h", out, 70, _CODES[self.stored], 8 * np.dtype(self.stored).itemsize)
        out[76:108] = _floats(1, *self.volume.spacing, 0, 0, 0, 0)
        out[108:120] = _floats(_OFFSET, slope, intercept)
        out[123] = _MILLIMETRES
        struct.pack_into("<2h", out, 252, 0, _ALIGNED)
        out[280:328] = _floats(*self.volume.affine[:3].ravel())
        out[344:348] = b"n+1\0"
        return bytes(out)


def _floats(*values: float) -> bytes:
    with np.errstate(over="ignore"):
        return np.array(values).astype("<f4").tobytes()


def packed(one: Opened, what: str, output: Said | None, settings: Settings) -> Packed:
    """An input of a case by its key, its reference, or the output that was looked up, on its way out.

    Raises:
        NotFound: the case has no such input, or nobody said whose output is meant.
        Conflict, Unprocessable: there is no volume of it, or it is too large.
    """
    if what not in (REFERENCE, OUTPUT):
        image = _bounded(service.drawable(one, service.chosen(one.case, what), settings))
        kind, size = image.voxels.dtype.kind, image.voxels.dtype.itemsize
        return Packed(image, f"{kind}{size}" if kind in "ui" and size <= 2 else "f4", label=False)
    if what == OUTPUT and output is None:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, "Say in `evaluation` whose output is meant.")
    service.require_files(one.dataset)
    said = output or service.reference(one, settings)
    if said.labels is None:
        raise Unprocessable(ErrorCode.CANNOT_DRAW, said.note or "It is a value, and no label map.")
    labels = _bounded(said.labels)
    return Packed(labels, _smallest(labels), label=True)


def _smallest(labels: Volume) -> str:
    """How label maps are written: with as few bytes as their labels need."""
    there = labels.labels
    for stored in _WHOLE:
        limits = np.iinfo(stored)
        if limits.min <= min(there) and max(there) <= limits.max:
            return stored
    return _WHOLE[-1]


def too_large(shape: tuple[int, ...]) -> bool:
    """Whether a volume of this shape is not handed out."""
    return max(shape) > LONGEST or int(np.prod(shape)) > MOST_VOXELS


def _bounded(volume: Volume) -> Volume:
    if too_large(volume.shape):
        detail = (
            f"It has {' × '.join(map(str, volume.shape))} voxels; at most {MOST_VOXELS / 1e6:,.0f} million, and "
            f"{LONGEST:,} along an axis, are handed to a browser. The slices show it."
        )
        raise Unprocessable(ErrorCode.CANNOT_DRAW, detail)
    return volume
