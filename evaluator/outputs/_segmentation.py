"""Segmentations: a gzipped NIfTI label map with the shape of an input."""

import gzip
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from evaluator.metrics import SEGMENTATIONS
from evaluator.outputs._file import opened
from evaluator.outputs._geometry import same_affine, turned
from evaluator.outputs._gzip import GunzipReader, GzipError
from evaluator.outputs._image import MAX_TRAILING, LabelImage, read_labels
from evaluator.outputs._labelmap import SegmentationOutput, decode, encode
from evaluator.outputs._nifti import MAX_DATA_OFFSET, Header, HeaderError, read_header
from evaluator.outputs._result import InputUnreadable, InvalidOutput, LabelMap
from evaluator.outputs._samples import MAPS
from evaluator.spec import Canary, Kind, Maps
from evaluator.verdicts import Check

_GZIP = b"\x1f\x8b"
_WIDEST_ITEM = 8

TOLERANCE = 1e-4
"""Largest share of differing voxels, among those that either map labels, of two maps that are one answer."""

_OTHER_AFFINE = "The affine differs from that of the inputs."
_OTHER_AXES = (
    "By their affine, axes are mirrored or swapped against the inputs; voxels are compared in the order in which they "
    "are stored, which must be that of the inputs."
)
_EMPTY = "Every voxel is background."


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
        image = read_labels(file, output.labels, lambda header: _require_shape(header, references))
    return LabelMap(image.labels, image.header.affine), (*image.warnings, *_doubts(image, references))


def input_header(path: Path) -> Header:
    """The header of an input image, gzipped or not.

    Raises:
        InputUnreadable: it cannot be read.
    """
    try:
        state = path.stat()
        return _header_at(path, (state.st_ino, state.st_size, state.st_mtime_ns))
    except (OSError, GzipError, HeaderError) as error:
        raise InputUnreadable(f"an input is not a readable NIfTI image: {error}") from None


@lru_cache(maxsize=4096)
def _header_at(path: Path, stamp: tuple[int, ...]) -> Header:
    """The header of a file that has this `stamp`: references are asked for with every output."""
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
        file.seek(0)
        return _input(file, zipped)


def _input(file: BinaryIO, zipped: bool) -> Header:
    return read_header(GunzipReader(file).read if zipped else file.read)[0]


def content_size(path: Path, expected: int) -> int:
    """How many bytes the input at `path` holds when unpacked, counted up to `expected`; 0 where it is damaged.

    A gzip file ends with the length of its content. Where that is the expected one, nothing is unpacked.
    """
    try:
        with path.open("rb") as file:
            if file.read(2) != _GZIP:
                return path.stat().st_size
            file.seek(-4, os.SEEK_END)
            if int.from_bytes(file.read(4), "little") == expected % (1 << 32):
                return expected
            file.seek(0)
            return GunzipReader(file).skip(expected)
    except (OSError, GzipError):
        return 0


def _bounded(size: int, voxels: int) -> None:
    unpacked = MAX_DATA_OFFSET + voxels * _WIDEST_ITEM + MAX_TRAILING
    if size > unpacked + unpacked // 8:  # gzip never adds as much to what it cannot compress
        raise InvalidOutput(Check.TOO_LARGE, "The output file is larger than any label map of this shape.")


def _require_shape(header: Header, references: Sequence[Header]) -> None:
    shapes = [reference.shape for reference in references]
    if header.shape not in shapes:
        detail = f"found {header.shape}, the inputs have {shapes[0]}"
        raise InvalidOutput(Check.SHAPE, "The shape of the image differs from that of the inputs.", detail)


def _doubts(image: LabelImage, references: Sequence[Header]) -> list[str]:
    affine = image.header.affine
    like = [reference.affine for reference in references if reference.shape == image.header.shape]
    doubts = [] if image.labels.any() else [_EMPTY]
    if not any(same_affine(affine, expected) for expected in like):
        doubts.append(_OTHER_AXES if all(turned(affine, expected) for expected in like) else _OTHER_AFFINE)
    return doubts


def _same(one: LabelMap, other: LabelMap) -> bool:
    a, b = one.array, other.array
    if a.shape != b.shape:
        return False
    labelled = np.count_nonzero((a != 0) | (b != 0))
    return bool(np.count_nonzero(a != b) <= TOLERANCE * labelled)


def _known_answer(header: bytes, voxels: bytes) -> bytes:
    import gzip

    return gzip.compress(header + bytes((voxel > 40) + (voxel > 80) for voxel in voxels))


KIND = Kind(
    "segmentation",
    SegmentationOutput,
    check,
    encode,
    decode,
    _same,
    Check.HEADER,
    Canary(
        {"labels": [0, 1, 2]},
        _known_answer,
        "429a4288809cf58760d77a18607f38ef5a987401f6c32f5657c08f03894fb222",
        unpacked=gzip.decompress,
    ),
    Maps(),
    "evaluator.scoring._cases:score_segmentations",
    material=(SEGMENTATIONS,),
    one_number=None,
    shaped=True,
    code=(
        "evaluator.metrics.segmentation",
        "evaluator.metrics.weighted:weighted_mean",
        "evaluator.outputs._reference:read_label_map",
    ),
    samples=MAPS,
)
