"""Re-heading of NIfTI files at import: nothing that names a patient, a scanner or a date survives in a header.

The gzip header loses name and time, the NIfTI header its free texts and extensions; the voxel data stay as they are.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from isal import igzip, igzip_lib

_HEADER = 348
_VOXELS = 352
_TEXTS = (
    (4, 10),
    (14, 18),
    (148, 80),
    (228, 24),
    (328, 16),
)  # data_type, db_name, descrip, aux_file, intent_name
_MAGIC = b"n+1\0"


class NotNifti(Exception):  # noqa: N818 - reads as the sentence it is
    """The file is no NIfTI-1 in one gzip file; the message says what is wrong."""


@dataclass(frozen=True)
class Geometry:
    """Shape in voxels and the 4×4 affine from voxels to millimetres."""

    shape: tuple[int, ...]
    affine: tuple[tuple[float, ...], ...]

    def same_place(self, other: "Geometry") -> bool:
        """Whether both have one shape and, within 1 µm per entry, one affine."""
        return self.shape == other.shape and np.allclose(self.affine, other.affine, rtol=0, atol=1e-3)


def reheader(source: Path) -> tuple[bytes, Geometry]:
    """The file's bytes with a clean header, and its geometry.

    Raises:
        NotNifti: not gzip, not NIfTI-1, not 3-D, or shorter than its header says.
    """
    try:
        raw = igzip.decompress(source.read_bytes())
    except (OSError, EOFError, igzip_lib.IsalError) as error:  # type: ignore[misc]  # isal has no stubs
        raise NotNifti(f"cannot be decompressed: {error}") from None
    order = _byte_order(raw)
    shape = _shape(raw, order)
    offset = int(struct.unpack_from(f"{order}f", raw, 108)[0])
    bits = struct.unpack_from(f"{order}h", raw, 72)[0]
    length = int(np.prod(shape)) * bits // 8
    if offset < _VOXELS or len(raw) < offset + length:
        raise NotNifti("is shorter than its header says")
    header = bytearray(raw[:_HEADER])
    for start, size in _TEXTS:
        header[start : start + size] = bytes(size)
    struct.pack_into(f"{order}f", header, 108, float(_VOXELS))
    clean = bytes(header) + bytes(4) + raw[offset : offset + length]
    return igzip.compress(clean, compresslevel=2, mtime=0), Geometry(shape, _affine(raw, order))


def _byte_order(raw: bytes) -> str:
    if len(raw) < _VOXELS or raw[344:348] != _MAGIC:
        raise NotNifti("is no single-file NIfTI-1")
    for order in "<>":
        if struct.unpack_from(f"{order}i", raw, 0)[0] == _HEADER:
            return order
    raise NotNifti("is no single-file NIfTI-1")


def _shape(raw: bytes, order: str) -> tuple[int, ...]:
    dims = struct.unpack_from(f"{order}8h", raw, 40)
    shape = tuple(dims[1 : 1 + dims[0]]) if 1 <= dims[0] <= 7 else ()
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1:
        raise NotNifti(f"has the shape {shape}, not three dimensions")
    return shape


def _affine(raw: bytes, order: str) -> tuple[tuple[float, ...], ...]:
    from nibabel.nifti1 import Nifti1Header  # only importers need nibabel

    header = Nifti1Header(raw[:_HEADER], endianness=order, check=False)
    return tuple(tuple(float(value) for value in row) for row in header.get_best_affine())
