"""The one reader of label maps: what a container wrote and what a challenge brings along pass the same checks.

Nothing is unpacked before the header has been found acceptable, and the voxels pass through a small buffer into the
smallest integers, so that a file costs one byte a voxel whatever it claims to hold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from evaluator.outputs._gzip import GunzipReader, GzipError
from evaluator.outputs._nifti import Header, HeaderError, read_header
from evaluator.outputs._result import InvalidOutput
from evaluator.outputs._voxels import VoxelSieve, smallest_dtype
from evaluator.verdicts import Check

_BUFFER = 1 << 20
MAX_TRAILING = 1 << 20
_AFTER_DATA = "The image has bytes after its voxels; they are ignored."
_AFTER_GZIP = "The file has bytes after its gzip data; they are ignored."
_ROUNDED = "Some voxels are not exactly whole numbers; the nearest labels are taken."


@dataclass(frozen=True, eq=False)
class LabelImage:
    """Labels of shape (x, y, z) in column-major order, the header they came with, and sentences of warning."""

    labels: NDArray[np.unsignedinteger]
    header: Header
    warnings: tuple[str, ...]


def read_labels(file: BinaryIO, labels: Sequence[int], accept: Callable[[Header], None]) -> LabelImage:
    """The label map in a gzipped NIfTI file, to its end, so that every checksum is verified.

    Args:
        file: opened at its start.
        labels: what voxels may hold.
        accept: raises InvalidOutput for a header that will not do, before anything behind it is unpacked; that it
            has three dimensions of numbers has been seen to.

    Raises:
        InvalidOutput: the first check that fails.
    """
    start = file.read(4)
    file.seek(0)
    try:
        return _read(GunzipReader(file), labels, accept)
    except GzipError as error:
        message = "The file is not a sound gzip file: it is not gzip, damaged or cut off."
        raise InvalidOutput(Check.GZIP, message, f"{error}{_instead(start)}") from None


def _instead(start: bytes) -> str:
    what = next((name for magic, name in _NOT_GZIP.items() if start.startswith(magic)), None)
    return "" if what is None else f"; it is {what}"


_NOT_GZIP = {
    b"\x5c\x01\x00\x00": "a NIfTI image that is not packed",
    b"\x00\x00\x01\x5c": "a NIfTI image that is not packed",
    b"\x00\x00\x00\x01": "a FreeSurfer image (.mgh)",
    b"PK": "a zip archive",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\xfd7zX": "packed by xz",
    b"BZh": "packed by bzip2",
    b"NRRD": "an NRRD image",
    b"\x93NUM": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
}


def _read(reader: GunzipReader, labels: Sequence[int], accept: Callable[[Header], None]) -> LabelImage:
    try:
        header, consumed = read_header(reader.read)
    except HeaderError as error:
        message = "The file cannot be loaded as a NIfTI image: its header is not valid."
        raise InvalidOutput(Check.HEADER, message, str(error)) from None
    _check(header)
    accept(header)
    gap = header.data_offset - consumed
    if reader.skip(gap) < gap:
        raise _too_short()
    sieve = VoxelSieve(labels, header)
    voxels = _voxels(reader, header, sieve, smallest_dtype(labels))
    warnings = (*_trailing(reader), *[_ROUNDED] * sieve.rounded)
    return LabelImage(voxels.reshape(header.shape, order="F"), header, warnings)


def _check(header: Header) -> None:
    with np.errstate(over="ignore"):
        stored = header.affine.astype(np.float32)
    if not np.isfinite(stored).all() or not stored[:3, :3].any():
        raise InvalidOutput(Check.AFFINE, "The affine is not finite or all zero.")
    if len(header.shape) != 3:
        message = "The image must have exactly three dimensions."
        raise InvalidOutput(Check.DIMENSIONS, message, f"found {len(header.shape)}: {header.shape}")
    if header.dtype is None:
        raise InvalidOutput(Check.INTEGER_VALUES, "The image holds colours or complex numbers, not labels.")


def _too_short() -> InvalidOutput:
    return InvalidOutput(Check.HEADER, "The image holds fewer voxels than its header says.")


def _voxels(
    reader: GunzipReader, header: Header, sieve: VoxelSieve, kept: np.dtype[np.unsignedinteger]
) -> NDArray[np.unsignedinteger]:
    labels = np.empty(header.voxels, kept)
    assert header.dtype is not None  # noqa: S101 - refused with the header
    stored = np.empty(_BUFFER // header.dtype.itemsize, header.dtype)
    for start in range(0, header.voxels, len(stored)):
        block = labels[start : start + len(stored)]
        # Labels that are stored as they will be kept need no buffer.
        part = block if block.dtype == header.dtype else stored[: len(block)]
        if reader.readinto(part.view(np.uint8).data) < part.nbytes:
            raise _too_short()
        sieved = sieve.labels(part)
        if sieved is not block:
            block[:] = sieved
    sieve.raise_if_invalid()
    return labels


def _trailing(reader: GunzipReader) -> list[str]:
    extra = reader.skip(MAX_TRAILING + 1)
    if extra > MAX_TRAILING:
        raise InvalidOutput(Check.TOO_LARGE, "The image goes on long after its last voxel.")
    return [_AFTER_DATA] * (extra > 0) + [_AFTER_GZIP] * reader.trailing
