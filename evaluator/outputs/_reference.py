"""Label maps that a challenge brings along: gzipped NIfTI images whose voxels are whole numbers.

The header is read, and found acceptable, before anything else is unpacked; the voxels go into one array of
the type they are stored in, and the stream has to be complete, with true checksums and nothing behind.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.outputs._gzip import GunzipReader, GzipError
from evaluator.outputs._nifti import Header, HeaderError, read_header

_MAX_VOXELS = 1 << 30


class LabelMapError(ValueError):
    """The file is no label map; the message is a predicate such as "is 4-D, not 3-D"."""


def read_label_map(path: Path) -> tuple[NDArray[np.integer[Any]], tuple[float, ...]]:
    """The labels, in column-major order, and the voxel spacing in mm as the header has it.

    Raises:
        LabelMapError: the file is unreadable, not three-dimensional or not made of whole numbers.
        FileNotFoundError: there is none.
    """
    try:
        with path.open("rb") as file:
            reader = GunzipReader(file)
            header, consumed = read_header(reader.read)
            _check(header)
            stored = _stored(reader, header, consumed)
    except FileNotFoundError:
        raise
    except (OSError, GzipError, HeaderError) as error:
        raise LabelMapError(f"cannot be read: {error}") from None
    return _whole(stored, header).reshape(header.shape, order="F"), header.spacing_mm


def _check(header: Header) -> None:
    if len(header.shape) != 3:
        raise LabelMapError(f"is {len(header.shape)}-D, not 3-D")
    if header.dtype is None:
        raise LabelMapError("holds colours or complex numbers")
    if header.voxels > _MAX_VOXELS:
        raise LabelMapError("has more voxels than any image")
    if not all(0 < step < np.inf for step in header.spacing_mm):
        raise LabelMapError("has a voxel size that is not positive")


def _stored(reader: GunzipReader, header: Header, consumed: int) -> NDArray[Any]:
    gap = header.data_offset - consumed
    stored = np.empty(header.voxels, header.dtype)
    if reader.skip(gap) < gap or reader.readinto(stored.view(np.uint8).data) < stored.nbytes:
        raise LabelMapError("holds fewer voxels than its header says")
    if reader.skip(1) or reader.trailing:  # only a look behind the end verifies the last checksum
        raise LabelMapError("has bytes after its voxels")
    return stored


def _whole(stored: NDArray[Any], header: Header) -> NDArray[np.integer[Any]]:
    if (header.slope, header.intercept) == (1.0, 0.0):
        values: NDArray[Any] = stored
    else:
        values = stored.astype(np.float64) * header.slope + header.intercept
    if values.dtype.kind in "iu":
        native: NDArray[np.integer[Any]] = values.astype(values.dtype.newbyteorder("="), copy=False)
        return native
    with np.errstate(invalid="ignore"):  # what is not finite comes out as another number
        labels: NDArray[np.integer[Any]] = np.rint(values).astype(np.int32)
    if not np.array_equal(labels, values):
        raise LabelMapError("holds values that are not whole numbers")
    return labels
