"""Scans as files hold them: read whole, checked, and refused in one sentence. Needs numpy and nibabel, not torch."""

import gzip
import logging
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Affine = NDArray[np.float64]

MOST_VOXELS = 1 << 28
"""Two and a half times the largest scan of the challenge; a damaged header may claim any number."""
FINEST, COARSEST = 0.01, 100.0  # mm of a voxel that a scanner of people makes
BLOCK = 1 << 22
BEHIND = 1 << 26  # bytes that are read beside the voxels; a megabyte may unpack to a gigabyte of nothing

nib.imageglobals.logger.setLevel(
    logging.CRITICAL
)  # what nibabel mends in a header is not the reader's concern


class CaseFault(IntEnum):
    """Why there is no answer; the exit code of the program."""

    CALL = 64
    FOREIGN = 65
    UNREADABLE = 66
    DAMAGED = 67
    SHAPE = 68
    EMPTY = 69
    PLACE = 70
    GRIDS = 71
    OUTPUT = 73
    CHECKPOINT = 74


class CannotAnswer(Exception):
    """A case without an answer; the message, one line, names the file and what is wrong with it."""

    def __init__(self, fault: CaseFault, message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.fault = fault


@dataclass(frozen=True)
class Scan:
    """One sequence: `data` float32 [x, y, z] in the scan's own voxels, `affine` to mm."""

    data: FloatArray
    affine: Affine

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Voxel size in mm along the array's axes."""
        return np.asarray(np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)))


def read_scan(path: Path) -> tuple[Scan, Any]:
    """The scan in a NIfTI file, gzipped or not, and its header. A fourth axis of length 1 is dropped.

    The file is read to its end, so that the checksum of a gzipped one is compared. Values that are not finite become
    0, and a line on standard error says how many.

    Raises:
        CannotAnswer: there is no such file, or it holds no scan that can be answered.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            with gzip.open(plain) if packed else plain as file:
                image = _header(path, file)
                data = _voxels(path, image)
                _read_to_end(path, file)
    except FileNotFoundError:
        raise CannotAnswer(CaseFault.UNREADABLE, f"{path}: there is no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise CannotAnswer(CaseFault.DAMAGED, f"{path}: the file is damaged or was cut off") from None
    except OSError as error:
        raise CannotAnswer(
            CaseFault.UNREADABLE, f"{path}: cannot be read ({error.strerror or error})"
        ) from None
    _make_finite(path, data)
    return Scan(data, np.asarray(image.affine, dtype=np.float64)), image.header


def _read_to_end(path: Path, file: Any) -> None:
    """Compares a gzipped file's checksum, which stands at its end."""
    left = BEHIND
    while block := file.read(BLOCK):
        left -= len(block)
        if left < 0:
            raise CannotAnswer(CaseFault.DAMAGED, f"{path}: goes on for long behind its voxels")


def _header(path: Path, file: Any) -> Any:
    """The image with its voxels still unread."""
    size = file.read(4)
    file.seek(0)
    if len(size) < 4:
        raise CannotAnswer(
            CaseFault.FOREIGN, f"{path}: the file holds nothing" if not size else f"{path}: not NIfTI"
        )
    kind = (
        nib.Nifti2Image
        if 540 in (int.from_bytes(size, order) for order in ("little", "big"))
        else nib.Nifti1Image
    )
    try:
        with np.errstate(all="ignore"):
            _check_extensions(path, file, kind.header_class)
            image: Any = kind.from_stream(file)
    except nib.wrapstruct.WrapStructError:
        raise CannotAnswer(CaseFault.DAMAGED, f"{path}: the file ends before its header does") from None
    except (
        nib.spatialimages.HeaderDataError,
        nib.filebasedimages.ImageFileError,
        ValueError,
        OverflowError,
        TypeError,
    ) as error:
        raise CannotAnswer(CaseFault.FOREIGN, f"{path}: cannot be read as NIfTI ({error})") from None
    _check_shape(path, image.shape, image.get_data_dtype())
    _check_place(path, np.asarray(image.affine, dtype=np.float64))
    return image


def _check_extensions(path: Path, file: Any, kind: Any) -> None:
    """Refuses extensions of no length, or of too much: nibabel reads them whole, those of less than none to the end."""
    block = file.read(kind.sizeof_hdr)
    if len(block) == kind.sizeof_hdr:
        header = kind(block, check=False)
        left, taken = float(header["vox_offset"]) - len(file.read(4)) - len(block), 0
        while (left >= 16 or left < 0) and len(start := file.read(8)) == 8:
            size = int(np.frombuffer(start, np.dtype("i4").newbyteorder(header.endianness))[0])
            taken += size
            if size < 8 or taken > BEHIND:
                raise CannotAnswer(CaseFault.FOREIGN, f"{path}: its header has an extension of {size} bytes")
            file.seek(size - 8, 1)
            left -= size
    file.seek(0)


def _check_shape(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    shown = "×".join(str(n) for n in shape)
    if len(shape) < 3 or min(shape) < 1:
        raise CannotAnswer(
            CaseFault.SHAPE, f"{path}: has no voxels in three dimensions (it is {shown or 'empty'})"
        )
    if np.prod(shape[3:], dtype=float) != 1:
        raise CannotAnswer(CaseFault.SHAPE, f"{path}: holds more than one volume ({shown})")
    if np.prod(shape, dtype=float) > MOST_VOXELS:
        bound = f"at most {MOST_VOXELS / 1e6:.0f} million voxels are read"
        raise CannotAnswer(CaseFault.SHAPE, f"{path}: is {shown}, and {bound}")
    if dtype.kind not in "iuf":
        raise CannotAnswer(CaseFault.SHAPE, f"{path}: its voxels are not single numbers ({dtype})")


def _check_place(path: Path, affine: Affine) -> None:
    """Refuses an affine that cannot be inverted, or voxels of a size that no scanner makes."""
    axes = affine[:3, :3]
    steps = np.sqrt((axes**2).sum(axis=0))
    if not np.isfinite(affine).all() or abs(np.linalg.det(axes)) <= 1e-4 * np.prod(steps):
        raise CannotAnswer(
            CaseFault.PLACE, f"{path}: its affine does not say where the voxels lie (it is singular)"
        )
    if steps.min() < FINEST or steps.max() > COARSEST:
        size = "×".join(f"{step:.3g}" for step in steps)
        raise CannotAnswer(CaseFault.PLACE, f"{path}: its affine gives voxels of {size} mm")


def _voxels(path: Path, image: Any) -> FloatArray:
    proxy = image.dataobj
    try:
        stored = proxy.get_unscaled()
    except gzip.BadGzipFile:
        raise
    except (ValueError, OverflowError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CannotAnswer(CaseFault.DAMAGED, f"{path}: the file ends before its voxels do") from None
    with np.errstate(all="ignore"):
        data: FloatArray = stored.reshape(stored.shape[:3], order="F").astype(np.float32, order="F")
        if (proxy.slope, proxy.inter) != (1, 0):
            data *= np.float32(proxy.slope)
            data += np.float32(proxy.inter)
    return data


def _make_finite(path: Path, data: FloatArray) -> None:
    """Sets what is not finite to 0, in place, and refuses a volume that shows nothing."""
    bad = 0
    for plane in data.T:  # the axis along which the planes lie together in memory
        with np.errstate(all="ignore"):
            total = plane.sum()
        if not np.isfinite(total):
            wrong = ~np.isfinite(plane)
            bad += int(wrong.sum())
            plane[wrong] = 0
    if bad == data.size:
        raise CannotAnswer(CaseFault.EMPTY, f"{path}: none of its values is a finite number")
    if data.min() == data.max():
        raise CannotAnswer(CaseFault.EMPTY, f"{path}: shows nothing, every voxel is {data.flat[0]:g}")
    if bad:
        print(f"{path}: {bad} of {data.size} values are not finite and count as 0", file=sys.stderr)


def check_grids(paths: Mapping[str, Path], scans: Mapping[str, Scan]) -> None:
    """Refuses sequences of one case that do not lie on one grid, to half a voxel at every corner.

    Raises:
        CannotAnswer: they do not.
    """
    (first, one), *others = scans.items()
    for key, other in others:
        if one.data.shape != other.data.shape:
            shapes = " and ".join("×".join(map(str, scan.data.shape)) for scan in (one, other))
            message = f"{paths[key]}: has another shape than {paths[first]} ({shapes})"
            raise CannotAnswer(CaseFault.GRIDS, message)
        corners = np.array(np.meshgrid(*((0, n - 1) for n in one.data.shape))).reshape(3, -1)
        apart = (one.affine - other.affine)[:3] @ np.vstack([corners, np.ones(8)])
        most = float(np.sqrt((apart**2).sum(axis=0)).max())
        if most > one.spacing.min() / 2:
            message = f"{paths[key]}: lies up to {most:.3g} mm away from {paths[first]}"
            raise CannotAnswer(CaseFault.GRIDS, message)
