"""Headers of single-file NIfTI-1 and NIfTI-2 images, read without touching the image data."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MIN_EXTENSION_FLAG = 4
MAX_DATA_OFFSET = 1 << 24
"""Header extensions beyond 16 MiB are not a label map's."""

NUMERIC = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8",
    256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
"""NIfTI data type codes of whole and real numbers."""

_NOT_NUMBERS = {32: 64, 128: 24, 1792: 128, 2304: 32}
_BITS = {code: 8 * np.dtype(name).itemsize for code, name in NUMERIC.items()} | _NOT_NUMBERS

_SPACE = 7
_OTHER_UNITS = {1: "metres", 3: "micrometres"}
"""Units of space by their code; no unit at all means millimetres."""

_NIBABELS = 3 * float(np.finfo(np.float32).eps)
_LONGEST_QUATERNION = 1e-5
"""By how much the square of a stored quaternion may exceed 1 and be rounding: nibabel takes less, others any."""

_XFORM_CODES = range(1, 6)
"""Codes that NIfTI knows; others count as unset, as in nibabel."""

_FIELDS_1 = {
    "dim": ("(8,)i2", 40), "datatype": ("i2", 70), "bitpix": ("i2", 72), "pixdim": ("(8,)f4", 76),
    "vox_offset": ("f4", 108), "scl_slope": ("f4", 112), "scl_inter": ("f4", 116), "xyzt_units": ("u1", 123),
    "qform_code": ("i2", 252), "sform_code": ("i2", 254), "quatern": ("(3,)f4", 256),
    "qoffset": ("(3,)f4", 268), "srow": ("(3,4)f4", 280), "magic": ("S4", 344),
}  # fmt: skip
_FIELDS_2 = {
    "magic": ("S8", 4), "datatype": ("i2", 12), "bitpix": ("i2", 14), "dim": ("(8,)i8", 16),
    "pixdim": ("(8,)f8", 104), "vox_offset": ("i8", 168), "scl_slope": ("f8", 176), "scl_inter": ("f8", 184),
    "qform_code": ("i4", 344), "sform_code": ("i4", 348), "quatern": ("(3,)f8", 352),
    "qoffset": ("(3,)f8", 376), "srow": ("(3,4)f8", 400), "xyzt_units": ("i4", 500),
}  # fmt: skip


def _layout(fields: dict[str, tuple[str, int]], size: int) -> np.dtype[np.void]:
    formats, offsets = zip(*fields.values(), strict=True)
    return np.dtype(
        {
            "names": ["sizeof_hdr", *fields],
            "formats": ["i4", *formats],
            "offsets": [0, *offsets],
            "itemsize": size,
        }
    )


_LAYOUTS: dict[int, tuple[np.dtype[np.void], bytes, float]] = {
    348: (_layout(_FIELDS_1, 348), b"n+1", float(np.finfo(np.float32).eps)),
    540: (_layout(_FIELDS_2, 540), b"n+2\0\r\n\x1a\n", float(np.finfo(np.float64).eps)),
}
NIFTI_1 = _LAYOUTS[348][0].newbyteorder("<")
"""The little-endian layout that label maps are written in."""


_OTHERS = (
    (b"\x00\x00\x00\x01", "a FreeSurfer image (.mgz): convert it, renaming is not enough"),
    (b"NRRD", "an NRRD image: convert it"),
    (b"\x93NUM", "a NumPy array: save it as NIfTI"),
    (b"\x89HDF", "an HDF5 file, perhaps MINC: convert it"),
    (b"\x1f\x8b", "gzip data inside gzip data: pack it once"),
)
"""How the unpacked content of other files starts."""


class HeaderError(Exception):
    """These bytes are not the header of a NIfTI image that can be loaded."""


@dataclass(frozen=True, eq=False)
class Header:
    """What is needed of a NIfTI header.

    dtype is None for colours and complex numbers; bits, of a voxel, go by the data type alone, and bits_agree says
    whether `bitpix` is the same. slope and intercept are 1 and 0 where there is no scaling; precision is the relative
    rounding of these two as stored. affine is 4×4, and may hold anything, and so may spacing, the size of a
    voxel along each axis, which both are in millimetres unless `unit` names another. long_quaternion: the affine
    comes from a quaternion that is rounded to more than 1, beyond what nibabel reads. other_affine: that of the qform,
    where the sform, which counts, is set beside it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    data_offset: int
    slope: float
    intercept: float
    precision: float
    affine: NDArray[np.float64]
    spacing: tuple[float, ...]
    unit: str | None
    bits: int
    bits_agree: bool
    long_quaternion: bool
    other_affine: NDArray[np.float64] | None

    @property
    def voxels(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """How many bytes the unpacked image holds."""
        return self.data_offset + (self.voxels * self.bits + 7) // 8


def read_header(read: Callable[[int], bytes]) -> tuple[Header, int]:
    """The header that `read(n)` gives the bytes of, and how many of them were read.

    Raises:
        HeaderError: see there.
    """
    start = read(4)
    size, order = _size_and_order(start)
    layout, magic, precision = _LAYOUTS[size]
    content = start + read(size - len(start))
    if len(content) < size:
        raise HeaderError("shorter than a header")
    fields = np.frombuffer(content, layout.newbyteorder(order), 1)[0]
    if bytes(fields["magic"]) != magic:
        raise HeaderError("not a single-file NIfTI image")
    return _parse(fields, size, precision), size


def _size_and_order(start: bytes) -> tuple[int, Any]:
    for order in "<>":
        size = int.from_bytes(start, "little" if order == "<" else "big")
        if len(start) == 4 and size in _LAYOUTS:
            return size, order
    what = next((f"; it is {name}" for magic, name in _OTHERS if start.startswith(magic)), "")
    raise HeaderError(f"neither NIfTI-1 nor NIfTI-2{what}")


def _parse(fields: Any, size: int, precision: float) -> Header:
    rank = int(fields["dim"][0])
    if not 1 <= rank <= 7:
        raise HeaderError("impossible number of dimensions")
    shape = tuple(int(length) for length in fields["dim"][1 : rank + 1])
    if min(shape) < 1:
        raise HeaderError("a dimension without voxels")
    slope, intercept = _scaling(float(fields["scl_slope"]), float(fields["scl_inter"]))
    code = int(fields["datatype"])
    return Header(
        shape=shape,
        dtype=_dtype(code, fields.dtype["datatype"].byteorder),
        data_offset=_data_offset(float(fields["vox_offset"]), size),
        slope=slope,
        intercept=intercept,
        precision=precision,
        affine=_affine(fields, shape),
        spacing=tuple(float(step) for step in fields["pixdim"][1 : rank + 1]),
        unit=_OTHER_UNITS.get(int(fields["xyzt_units"]) & _SPACE),
        bits=_BITS[code],
        bits_agree=int(fields["bitpix"]) == _BITS[code],
        long_quaternion=_codes(fields) == (False, True) and _excess(fields) > _NIBABELS,
        other_affine=_quaternion_affine(fields) if _codes(fields) == (True, True) else None,
    )


def _dtype(code: int, order: Any) -> np.dtype[Any] | None:
    if code in _NOT_NUMBERS:
        return None
    if code not in NUMERIC:
        raise HeaderError("unknown data type")
    return np.dtype(NUMERIC[code]).newbyteorder(order)


def _data_offset(offset: float, size: int) -> int:
    if not size + _MIN_EXTENSION_FLAG <= offset <= MAX_DATA_OFFSET:
        raise HeaderError("impossible position of the image data")
    return int(offset)


def _scaling(slope: float, intercept: float) -> tuple[float, float]:
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise HeaderError("an intercept that is not finite")
    return slope, intercept


def _affine(fields: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The sform where it is set, else the qform, else voxel sizes around the centre, as nibabel chooses."""
    affine = np.eye(4)
    if fields["sform_code"] in _XFORM_CODES:
        with np.errstate(all="ignore"):  # there are bit patterns of NaN that NumPy warns of
            affine[:3] = fields["srow"]
        return affine
    if fields["qform_code"] in _XFORM_CODES:
        return _quaternion_affine(fields)
    steps = _steps(fields) * [-1, 1, 1]
    lengths = np.array([*shape, 1, 1][:3])
    affine[:3, :3] = np.diag(steps)
    with np.errstate(all="ignore"):
        affine[:3, 3] = -steps * (lengths - 1) / 2
    return affine


def _quaternion_affine(fields: Any) -> NDArray[np.float64]:
    affine, steps = np.eye(4), _steps(fields)
    steps[2] *= -1 if fields["pixdim"][0] == -1 else 1
    with np.errstate(all="ignore"):  # what comes of absurd fields is not finite, and is checked
        affine[:3, :3] = _rotation(fields["quatern"].astype(np.float64)) * steps
        affine[:3, 3] = fields["qoffset"]
    return affine


def _steps(fields: Any) -> NDArray[np.float64]:
    steps: NDArray[np.float64] = np.abs(fields["pixdim"][1:4].astype(np.float64))
    steps[steps == 0] = 1
    return steps


def _codes(fields: Any) -> tuple[bool, bool]:
    """Whether sform and qform are set."""
    return bool(fields["sform_code"] in _XFORM_CODES), bool(fields["qform_code"] in _XFORM_CODES)


def _excess(fields: Any) -> float:
    """By how much the square of the stored quaternion exceeds 1."""
    with np.errstate(all="ignore"):
        return float((fields["quatern"].astype(np.float64) ** 2).sum()) - 1


def _rotation(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation of a unit quaternion without its first number; NaN if the three are longer than 1 and rounding."""
    b, c, d = (float(part) for part in quaternion)
    square = 1.0 - (b * b + c * c + d * d)
    if square < -_LONGEST_QUATERNION or math.isnan(square):
        return np.full((3, 3), np.nan)
    a = math.sqrt(max(square, 0.0))
    norm = a * a + b * b + c * c + d * d
    return np.eye(3) + (2 / norm) * np.array(
        [
            [-(c * c + d * d), b * c - d * a, b * d + c * a],
            [b * c + d * a, -(b * b + d * d), c * d - b * a],
            [b * d - c * a, c * d + b * a, -(b * b + c * c)],
        ]
    )
