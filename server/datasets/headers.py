"""Cleaning NIfTI files at import, into what every reader reads alike and what names nobody.

The gzip header loses name and time, the NIfTI header its free texts and extensions. What readers could take in two
ways is settled: dimensions of 1 behind the third go, `bitpix` is what the data type says, and nothing follows the
voxels. The voxels stay as they are stored.
"""

import hashlib
import math
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from isal import igzip, igzip_lib
from numpy.typing import NDArray

from evaluator.outputs import Header, HeaderError, read_header

_HEADER, _VOXELS = 348, 352
# The fields data_type, db_name, descrip, aux_file and intent_name.
_TEXTS = ((4, 10), (14, 18), (148, 80), (228, 24), (328, 16))
_MAGIC, _PAIR = b"n+1\0", b"ni1\0"
_BLOCK = 1 << 22
_ROUNDED = 1e-5
_MOST_VOXELS = 1 << 30
_OTHERS = {
    b"\xfd7zXZ": "an xz file",
    b"BZh": "a bzip2 file",
    b"PK\x03\x04": "a zip file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\x93NUMPY": "a NumPy file",
    b"\x89PNG": "a PNG picture",
    b"version https://git-lfs": "a pointer to a file that Git LFS keeps elsewhere",
}


class NotNifti(Exception):
    """The file is no NIfTI-1 volume that can be handed on; the message, a predicate, says what is wrong."""


@dataclass(frozen=True)
class Geometry:
    """Shape in voxels and the 4×4 affine from voxels to millimetres."""

    shape: tuple[int, ...]
    affine: tuple[tuple[float, ...], ...]

    def same_place(self, other: "Geometry") -> bool:
        """Whether both have one shape and, within 1 µm per entry, one affine."""
        return self.shape == other.shape and np.allclose(self.affine, other.affine, rtol=0, atol=1e-3)


@dataclass(frozen=True)
class Clean:
    """A cleaned volume: its bytes, its place, the digest of its values, and what is odd about these."""

    data: bytes
    geometry: Geometry
    voxels: str
    constant: bool
    nowhere_finite: bool
    surplus: int
    """Bytes behind the voxels, which were left out."""


def clean(source: Path, name: str) -> Clean:
    """The volume in `source`, gzipped or not, as a file called `name` holds it: gzipped if that ends in .gz.

    Raises:
        NotNifti: it cannot be read, is no single-file NIfTI-1 of three dimensions of numbers, or is cut short.
    """
    raw = _unpacked(source)
    header = _header(raw)
    shape = _three(header.shape)
    if header.dtype is None:
        raise NotNifti("holds colours or complex numbers, not one number per voxel")
    if header.voxels > _MOST_VOXELS:
        raise NotNifti(f"has the shape {header.shape}, more voxels than any image")
    if not np.isfinite(header.affine).all() or not header.affine[:3, :3].any():
        raise NotNifti(
            "says no place of its voxels: its sform or qform is not finite, all zero or no rotation"
        )
    length = header.voxels * header.dtype.itemsize
    if len(raw) < header.data_offset + length:
        raise NotNifti("is shorter than its header says")
    body = memoryview(raw)[header.data_offset : header.data_offset + length]
    plain = b"".join((_rewritten(raw, header, shape, header.dtype.itemsize), body))
    affine = tuple(tuple(float(value) for value in row) for row in header.affine)
    values = _Values(np.frombuffer(body, header.dtype), header, shape)
    return Clean(
        data=igzip.compress(plain, compresslevel=2, mtime=0) if name.endswith(".gz") else plain,
        geometry=Geometry(shape, affine),
        voxels=values.digest,
        constant=values.constant,
        nowhere_finite=values.nowhere_finite,
        surplus=len(raw) - header.data_offset - length,
    )


def _unpacked(source: Path) -> bytes:
    try:
        content = source.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            return bytes(igzip.decompress(content))
    except (OSError, EOFError, igzip_lib.IsalError, MemoryError) as error:  # type: ignore[misc]  # isal has no stubs
        raise NotNifti(f"cannot be decompressed: {_reason(error)}") from None
    if not content:
        raise NotNifti("is empty")
    if content[344:348] in (_MAGIC, _PAIR) or content[4:7] == b"n+2":
        return content
    found = next((name for start, name in _OTHERS.items() if content.startswith(start)), None)
    if found is not None:
        raise NotNifti(f"is {found}, not NIfTI; it cannot be decompressed")
    raise NotNifti("is neither NIfTI nor gzip, and cannot be decompressed")


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _header(raw: bytes) -> Header:
    if raw[344:348] == _PAIR:
        raise NotNifti("is one half of a pair of .hdr and .img; write both as one .nii.gz file (NIfTI-1)")
    if raw[4:7] == b"n+2":
        raise NotNifti("is NIfTI-2, which not every container reads; write it as NIfTI-1")
    if len(raw) < _VOXELS or raw[344:348] != _MAGIC:
        raise NotNifti("is no single-file NIfTI-1")
    try:
        header, size = read_header(BytesIO(raw).read)
    except HeaderError as error:
        raise NotNifti(f"is no NIfTI-1 that can be read: {error}") from None
    if size != _HEADER:
        raise NotNifti("is no single-file NIfTI-1")
    return header


def _three(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without the dimensions of 1 behind the third."""
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise NotNifti(f"has the shape {shape}, not three dimensions")
    return shape


def _rewritten(raw: bytes, header: Header, shape: tuple[int, ...], itemsize: int) -> bytes:
    """The 352 bytes before the voxels."""
    order = "<" if raw[:4] == _HEADER.to_bytes(4, "little") else ">"
    out = bytearray(raw[:_HEADER])
    for start, size in _TEXTS:
        out[start : start + size] = bytes(size)
    if header.shape != shape:
        struct.pack_into(f"{order}8h", out, 40, 3, *shape, 1, 1, 1, 1)
        struct.pack_into(f"{order}4f", out, 92, 1, 1, 1, 1)  # steps along the dimensions that are gone
    _shorten_quaternion(out, order)
    struct.pack_into(f"{order}h", out, 72, itemsize * 8)
    struct.pack_into(f"{order}f", out, 108, float(_VOXELS))
    return bytes(out) + bytes(_VOXELS - _HEADER)


def _shorten_quaternion(header: bytearray, order: str) -> None:
    """Divides a quaternion that is rounded to more than 1 by its length: some readers refuse it, others do this."""
    (code,) = struct.unpack_from(f"{order}h", header, 252)
    quaternion = struct.unpack_from(f"{order}3f", header, 256)
    square = sum(part * part for part in quaternion)
    if code > 0 and 1 < square <= 1 + _ROUNDED:
        length = math.sqrt(square)
        struct.pack_into(f"{order}3f", header, 256, *(part / length for part in quaternion))


class _Values:
    """One pass over the scaled values, in float32: a digest that no other way of storing the same image changes."""

    def __init__(self, stored: NDArray[Any], header: Header, shape: tuple[int, ...]) -> None:
        sha = hashlib.sha256(repr(shape).encode())
        low, high, finite = np.inf, -np.inf, 0
        for start in range(0, stored.size, _BLOCK):
            with np.errstate(all="ignore"):
                block = stored[start : start + _BLOCK].astype(np.float64)
                values = np.ascontiguousarray(
                    block * header.slope + header.intercept, dtype="<f4"
                ) + np.float32(0)
            sha.update(values.tobytes())
            good = values[np.isfinite(values)]
            finite += good.size
            if good.size:
                low, high = min(low, float(good.min())), max(high, float(good.max()))
        self.digest = "sha256:" + sha.hexdigest()
        self.nowhere_finite = finite == 0
        self.constant = finite == stored.size and low == high
