"""The canonical form of a segmentation: gzipped little-endian NIfTI-1 with the smallest unsigned integers."""

import io
import zlib
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from evaluator.outputs._gzip import GunzipReader, GzipError
from evaluator.outputs._nifti import NIFTI_1, NUMERIC, Header, HeaderError, read_header
from evaluator.outputs._result import LabelMap, NotCanonical
from evaluator.outputs._voxels import only, smallest_dtype
from evaluator.spec import EachOnce, Output

_MAX_VOXELS = 1 << 30
_MAX_LENGTH = (1 << 15) - 1
_DATA_OFFSET = 352
_MILLIMETRES = 2
_SCANNER = 1
_CODES = {name: code for code, name in NUMERIC.items()}


def _with_background(labels: tuple[int, ...]) -> tuple[int, ...]:
    if 0 not in labels:
        raise ValueError("0, the background, is missing; list it with the others")
    return labels


_Label = Annotated[int, Field(ge=0, le=2**24)]  # whole numbers that every type of NIfTI voxels holds


class SegmentationOutput(Output):
    """A NIfTI label map with the shape of one input; `labels` lists every allowed value with 0."""

    suffix: ClassVar[str] = ".nii.gz"

    kind: Literal["segmentation"]
    labels: Annotated[
        tuple[_Label, ...], Field(min_length=2, max_length=10_000), EachOnce, AfterValidator(_with_background)
    ]
    same_shape_as: Literal["any_input"] = "any_input"


def encode(output: SegmentationOutput, value: LabelMap) -> bytes:
    """A gzip file without name and time.

    Raises:
        ValueError: not three dimensions, or more voxels along one than NIfTI-1 can say.
    """
    dtype = smallest_dtype(output.labels)
    voxels = np.asfortranarray(value.array, dtype=dtype.newbyteorder("<"))
    # Not isal: equal label maps must give equal bytes everywhere.
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    head = packer.compress(_header(value.array.shape, dtype, value.affine))
    return head + packer.compress(voxels.ravel(order="K").data) + packer.flush()


def decode(output: SegmentationOutput, data: bytes) -> LabelMap:
    """The label map that `encode` wrote.

    Raises:
        NotCanonical: these are other bytes, or hold other labels.
    """
    reader = GunzipReader(io.BytesIO(data))
    dtype = smallest_dtype(output.labels)
    try:
        labels, affine = _read(reader, dtype)
        after = reader.skip(1)
    except (GzipError, HeaderError) as error:
        raise NotCanonical(str(error)) from None
    if after or reader.trailing:
        raise NotCanonical("bytes after the image")
    if not only(output.labels, labels):
        raise NotCanonical("labels other than those of the task")
    return LabelMap(labels, affine)


def _read(
    reader: GunzipReader, dtype: np.dtype[np.unsignedinteger]
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.float64]]:
    start = reader.read(_DATA_OFFSET)
    header = read_header(io.BytesIO(start).read)[0]
    if not _is_ours(start, header, dtype):
        raise NotCanonical("not the header of a canonical label map")
    labels = np.empty(header.voxels, dtype)
    if reader.readinto(labels.view(np.uint8).data) < labels.nbytes:
        raise NotCanonical("fewer voxels than the header says")
    if labels.dtype.itemsize > 1:
        labels = labels.view(dtype.newbyteorder("<")).astype(dtype)
    return labels.reshape(header.shape, order="F"), header.affine


def _is_ours(start: bytes, header: Header, dtype: np.dtype[np.unsignedinteger]) -> bool:
    if len(header.shape) != 3 or max(header.shape) > _MAX_LENGTH or header.voxels > _MAX_VOXELS:
        return False
    return bool(np.isfinite(header.affine).all()) and _header(header.shape, dtype, header.affine) == start


def _header(
    shape: tuple[int, ...], dtype: np.dtype[np.unsignedinteger], affine: NDArray[np.float64]
) -> bytes:
    if len(shape) != 3 or max(shape) > _MAX_LENGTH:
        raise ValueError(f"a label map has three dimensions of at most {_MAX_LENGTH} voxels, not {shape}")
    header = np.zeros(1, NIFTI_1)
    header["sizeof_hdr"] = 348
    header["dim"] = [3, *shape, 1, 1, 1, 1]
    header["datatype"] = _CODES[f"u{dtype.itemsize}"]
    header["bitpix"] = 8 * dtype.itemsize
    header["srow"] = affine[:3]
    # From the rounded rows, so that the header of a decoded image is the same again.
    steps = np.sqrt((header["srow"][0, :, :3].astype(np.float64) ** 2).sum(axis=0))
    steps = np.minimum(steps, np.finfo(np.float32).max)
    header["pixdim"] = [1, *steps, 0, 0, 0, 0]
    header["vox_offset"] = _DATA_OFFSET
    header["scl_slope"] = 1
    header["xyzt_units"] = _MILLIMETRES
    header["sform_code"] = _SCANNER
    header["magic"] = b"n+1"
    return header.tobytes() + bytes(4)
