"""The answer's file: written beside its place and renamed, so that it is there whole or not at all."""

import gzip
import os
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from baseline_model.scans import CannotAnswer, CaseFault

PLACING = (
    "pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip
"""The fields of a NIfTI header that say where its voxels lie."""


def check_place(output: Path) -> None:
    """Refuses an output that cannot be written, before anything is computed.

    Raises:
        CannotAnswer: its folder is missing or closed, or a folder stands in its place.
    """
    if not output.parent.is_dir():
        raise CannotAnswer(CaseFault.OUTPUT, f"{output}: there is no folder to write it in")
    if output.is_dir() or not os.access(output.parent, os.W_OK | os.X_OK):
        raise CannotAnswer(CaseFault.OUTPUT, f"{output}: cannot be written")


def write(answer: float | NDArray[np.generic], output: Path, *, like: Any) -> None:
    """The answer in the format of its kind; a label map lies where the scan of the header `like` does.

    Raises:
        CannotAnswer: the file cannot be written; what was there before is still there.
    """
    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("wb") as file:
            if isinstance(answer, float):
                file.write(f"{answer:.6f}\n".encode())
            elif answer.ndim == 1:
                np.save(file, answer)
            else:
                _write_labels(answer, like, file, packed=output.suffix == ".gz")
        part.replace(output)
    except OSError as error:
        raise CannotAnswer(
            CaseFault.OUTPUT, f"{output}: cannot be written ({error.strerror or error})"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _write_labels(labels: NDArray[np.generic], like: Any, file: BinaryIO, *, packed: bool) -> None:
    """Labels with the placing of `like`, bit for bit; no other field, for a header may name a patient."""
    kind: Any = nib.Nifti2Image if isinstance(like, nib.Nifti2Header) else nib.Nifti1Image
    header: Any = kind.header_class()
    header.set_data_dtype(labels.dtype)
    header.set_data_shape(labels.shape)
    for field in PLACING:
        header[field] = like[field]
    header["pixdim"][4:] = 1
    header.set_xyzt_units(like.get_xyzt_units()[0])
    image: Any = kind(labels, None, header)
    if not packed:
        image.to_stream(file)
        return
    with gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as squeezed:
        image.to_stream(squeezed)
