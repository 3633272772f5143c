"""Made cases, for a first try before there are released ones: a head of two tissues, and no pathology at all."""

import io
import struct
import zlib
from collections.abc import Mapping

import nibabel as nib
import numpy as np

from evaluator.spec import OneOf, Task

_SHAPE, _MILLIMETRES = (48, 56, 44), 4.0
_COUNT = 2


def sample_cases(task: Task) -> Mapping[str, bytes]:
    """The files of two cases by path, such as `case-1/t1w.nii.gz`; equal for equal tasks.

    Of inputs of which a case has one, the first case has the first, and the second case the second.
    """
    files = {}
    for number in range(_COUNT):
        chosen = [
            entry.one_of[number % len(entry.one_of)] if isinstance(entry, OneOf) else entry
            for entry in task.inputs
        ]
        for place, one in enumerate(chosen):
            files[f"case-{number + 1}/{one.file}"] = _file(one.file, number, place)
    return files


def _file(name: str, number: int, place: int) -> bytes:
    if name.endswith((".nii", ".nii.gz")):
        packed = io.BytesIO()
        image = nib.Nifti1Image(_head(number, place), np.diag([_MILLIMETRES] * 3 + [1.0]))
        raw = image.to_bytes()
        if name.endswith(".nii"):
            return bytes(raw)
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # gzip, without a time
        packed.write(packer.compress(raw) + packer.flush())
        return packed.getvalue()
    if name.endswith(".png"):
        return _png(_head(number, place)[:, :, _SHAPE[2] // 2])
    return b"Put a file of the challenge in this one's place.\n"


def _head(number: int, place: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """A head 150 to 190 mm long with a skull, two tissues and a brighter spot; each input has other intensities."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, length) for length in _SHAPE), indexing="ij"))
    radius = np.sqrt(((grid / np.array([0.72, 0.85, 0.8])[:, None, None, None]) ** 2).sum(0))
    radius *= 1 + 0.08 * number
    tissue = np.select(
        [radius < 0.45, radius < 0.85, radius < 1], [600 - 120 * place, 420 + 60 * place, 150], 0
    )
    spot = ((grid - 0.2) ** 2).sum(0) < 0.01
    texture = 20 * np.sin(9 * grid[0]) * np.cos(7 * grid[1] + number) * (radius < 1)
    return np.asarray(tissue + texture + 300 * spot, dtype=np.int16)


def _png(voxels: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> bytes:
    """A grey picture of one slice."""
    grey = np.clip(voxels // 4, 0, 255).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
