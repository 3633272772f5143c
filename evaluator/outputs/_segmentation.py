"""Segmentations: a gzipped NIfTI label map with the shape of an input.

Nothing is unpacked before the header has been held against the inputs, and the voxels pass through a small
buffer into the smallest integers, so that a file costs one byte a voxel whatever it claims to hold.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from evaluator.outputs._file import opened
from evaluator.outputs._gzip import GunzipReader, GzipError
from evaluator.outputs._nifti import MAX_DATA_OFFSET, Header, HeaderError, read_header
from evaluator.outputs._result import InputUnreadable, InvalidOutput, LabelMap
from evaluator.outputs._voxels import VoxelSieve, smallest_dtype
from evaluator.spec import SegmentationOutput
from evaluator.verdicts import Check

_BUFFER = 1 << 20
_MAX_TRAILING = 1 << 20
_WIDEST_ITEM = 8
_AFTER_DATA = "The image has bytes after its voxels; they are ignored."
_AFTER_GZIP = "The output file has bytes after its gzip data; they are ignored."
_OTHER_AFFINE = "The affine differs from that of the inputs."


def check(
    output: SegmentationOutput, path: Path, inputs: Mapping[str, Path]
) -> tuple[LabelMap, tuple[str, ...]]:
    """The label map in the file at `path`, whose shape must be that of one of the `inputs`.

    Raises:
        InvalidOutput: the first check that fails.
        InputUnreadable: there is no input, or one is not a NIfTI image.
    """
    references = [input_header(file) for file in inputs.values()]
    if not references:
        raise InputUnreadable("a segmentation is compared with its inputs, and there is none")
    with opened(path, output.suffix) as (file, size):
        _bounded(size, max(reference.voxels for reference in references))
        try:
            return _read(output, GunzipReader(file), references)
        except GzipError as error:
            message = "The output file is not a sound gzip file: it is not gzip, damaged or cut off."
            raise InvalidOutput(Check.GZIP, message, str(error)) from None


def input_header(path: Path) -> Header:
    """The header of an input image, gzipped or not.

    Raises:
        InputUnreadable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            return _input(file, zipped)
    except (OSError, GzipError, HeaderError) as error:
        raise InputUnreadable(f"an input is not a readable NIfTI image: {error}") from None


def _input(file: BinaryIO, zipped: bool) -> Header:
    return read_header(GunzipReader(file).read if zipped else file.read)[0]


def _bounded(size: int, voxels: int) -> None:
    unpacked = MAX_DATA_OFFSET + voxels * _WIDEST_ITEM + _MAX_TRAILING
    if size > unpacked + unpacked // 8:  # gzip never adds as much to what it cannot compress
        raise InvalidOutput(Check.TOO_LARGE, "The output file is larger than any label map of this shape.")


def _read(
    output: SegmentationOutput, reader: GunzipReader, references: Sequence[Header]
) -> tuple[LabelMap, tuple[str, ...]]:
    try:
        header, consumed = read_header(reader.read)
    except HeaderError as error:
        message = "The output file cannot be loaded as a NIfTI image: its header is not valid."
        raise InvalidOutput(Check.HEADER, message, str(error)) from None
    _check_header(header, references)
    gap = header.data_offset - consumed
    if reader.skip(gap) < gap:
        raise _too_short()
    labels = _voxels(output, reader, header)
    warnings = _trailing(reader)
    if not _same_affine(header, references):
        warnings.append(_OTHER_AFFINE)
    return LabelMap(labels.reshape(header.shape, order="F"), header.affine), tuple(warnings)


def _check_header(header: Header, references: Sequence[Header]) -> None:
    with np.errstate(over="ignore"):
        stored = header.affine.astype(np.float32)
    if not np.isfinite(stored).all() or not stored[:3, :3].any():
        raise InvalidOutput(Check.AFFINE, "The affine is not finite or all zero.")
    if len(header.shape) != 3:
        message = "The image must have exactly three dimensions."
        raise InvalidOutput(Check.DIMENSIONS, message, f"found {len(header.shape)}")
    if header.dtype is None:
        raise InvalidOutput(Check.INTEGER_VALUES, "The image holds colours or complex numbers, not labels.")
    shapes = [reference.shape for reference in references]
    if header.shape not in shapes:
        detail = f"found {header.shape}, the inputs have {shapes[0]}"
        raise InvalidOutput(Check.SHAPE, "The shape of the image differs from that of the inputs.", detail)


def _too_short() -> InvalidOutput:
    return InvalidOutput(Check.HEADER, "The image holds fewer voxels than its header says.")


def _voxels(output: SegmentationOutput, reader: GunzipReader, header: Header) -> NDArray[np.unsignedinteger]:
    sieve = VoxelSieve(output.labels, header)
    labels = np.empty(header.voxels, smallest_dtype(output.labels))
    assert header.dtype is not None  # noqa: S101 - refused with the header
    stored = np.empty(_BUFFER // header.dtype.itemsize, header.dtype)
    for start in range(0, header.voxels, len(stored)):
        block = labels[start : start + len(stored)]
        # Labels that are stored as they will be kept need no buffer.
        part = block if block.dtype == header.dtype else stored[: len(block)]
        if reader.readinto(part.view(np.uint8).data) < part.nbytes:
            raise _too_short()
        found = sieve.labels(part)
        if found is not block:
            block[:] = found
    sieve.raise_if_invalid()
    return labels


def _trailing(reader: GunzipReader) -> list[str]:
    """Read to the end, so that every checksum is verified."""
    extra = reader.skip(_MAX_TRAILING + 1)
    if extra > _MAX_TRAILING:
        raise InvalidOutput(Check.TOO_LARGE, "The image goes on long after its last voxel.")
    return [_AFTER_DATA] * (extra > 0) + [_AFTER_GZIP] * reader.trailing


def _same_affine(header: Header, references: Sequence[Header]) -> bool:
    """Whether an input of the same shape has the same affine, up to 1 µm and the rounding of float32."""
    same_shape = (reference.affine for reference in references if reference.shape == header.shape)
    return any(np.allclose(header.affine, affine, rtol=1e-5, atol=1e-3) for affine in same_shape)
