"""A picture of what the generator makes: one row per case, so a person can judge the anatomy at a glance."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo.brains.cases import make_case
from demo.brains.model import BrainCase, FloatArray, Split

TILE = 224  # pixels


def contact_sheet(
    path: Path, task: str, split: Split = "sanity", *, rows: int = 6, seed: int = 26, spacing_mm: float = 2.0
) -> None:
    """Writes a PNG: slices of each input and of the reference mask, one row per case."""
    strips = [
        _strip(make_case(task, split, index, seed=seed, spacing_mm=spacing_mm)) for index in range(rows)
    ]
    path.write_bytes(encode_png(np.vstack(strips)))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Grey pixels [row, column] as PNG."""
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _strip(case: BrainCase) -> NDArray[np.uint8]:
    first = next(iter(case.inputs.values()))
    step = np.abs(np.diag(first.affine)[:3])
    tiles = []
    for volume in case.inputs.values():
        image = volume.data / max(float(np.percentile(volume.data, 99.7)), 1.0)
        tiles += [_tile(image[:, :, z], step[[0, 1]]) for z in _levels(case)]
        if len(case.inputs) == 1:
            tiles += [
                _tile(image[:, image.shape[1] // 2], step[[0, 2]]),
                _tile(image[image.shape[0] // 2], step[[1, 2]]),
            ]
    if case.seg is not None:
        tiles += [_tile(case.seg[:, :, z] / 2, step[[0, 1]]) for z in _levels(case)]
    return np.hstack(tiles)


def _levels(case: BrainCase) -> list[int]:
    """Slices worth seeing: through the middle of the mask where there is one."""
    depth = next(iter(case.inputs.values())).data.shape[2]
    if len(case.inputs) == 1:
        return [int(depth * share) for share in (0.25, 0.38, 0.46, 0.55, 0.70)]
    if case.seg is not None and case.seg.any():
        return [int(np.argmax(case.seg.sum(axis=(0, 1))))]
    return [int(depth * 0.45)]


def _tile(plane: FloatArray | NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A slice at equal scale in both directions, front or top upwards."""
    scale = TILE / max(size * mm for size, mm in zip(plane.shape, step, strict=True))
    across, up = (int(size * mm * scale) for size, mm in zip(plane.shape, step, strict=True))
    columns = np.arange(across) * plane.shape[0] // across
    lines = np.arange(up)[::-1] * plane.shape[1] // up
    tile = np.zeros((TILE, TILE), dtype=np.uint8)
    tile[TILE - up :, :across] = np.clip(plane[columns][:, lines].T * 235, 0, 255).astype(np.uint8)
    return tile
