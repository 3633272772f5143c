"""Scans of any scanner on one common grid, and masks back on the scan's own grid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baseline_model.scans import Affine, FloatArray, Scan

__all__ = [
    "HEAD",
    "Grid",
    "Scan",
    "box_mean",
    "from_grid",
    "head_centre",
    "load",
    "normalise",
    "onto_grid",
    "parts_from_grid",
]

Part = tuple[slice, slice, slice]
SLAB = 32  # planes of a big scan that are resampled at a time, which bounds memory


@dataclass(frozen=True)
class Grid:
    """A box of `shape` voxels of `spacing` mm around a point, axes right, anterior, superior."""

    shape: tuple[int, int, int]
    spacing: float

    def affine(self, centre: NDArray[np.float64]) -> Affine:
        """Voxel indices to mm for the box around `centre` (mm)."""
        affine = np.diag([self.spacing] * 3 + [1.0])
        affine[:3, 3] = centre - self.spacing * (np.array(self.shape) - 1) / 2
        return affine


HEAD = Grid((56, 72, 56), 3.0)


def load(path: Path) -> Scan:
    """Reads a NIfTI file for training, unchecked; values that are not finite become 0, a fourth axis is dropped."""
    image: Any = nib.load(path)
    data = np.asarray(image.dataobj, dtype=np.float32)
    if data.ndim > 3:
        data = data.reshape(*data.shape[:3], -1)[..., 0]
    return Scan(np.nan_to_num(data, posinf=0.0, neginf=0.0), np.asarray(image.affine, dtype=np.float64))


def head_centre(scan: Scan) -> NDArray[np.float64]:
    """A point in mm near the middle of the brain, found from the head's outline.

    Left-right and front-back it is the outline's centre of mass. Up-down it is counted from the top of the head,
    because how much neck is in the picture differs between scanners.
    """
    step = np.maximum(1, np.round(4.0 / scan.spacing).astype(int))
    small = scan.data[:: step[0], :: step[1], :: step[2]]
    bright = small[small > small.mean()]
    threshold = 0.3 * float(bright.mean()) if bright.size else 0.0
    inside = np.argwhere(small > threshold) * step
    if len(inside) == 0:
        inside = np.array([scan.data.shape]) / 2
    places = inside @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    centre = places.mean(axis=0)
    top = float(np.percentile(places[:, 2], 99.5))
    bottom = float(np.percentile(places[:, 2], 0.5))
    if top - bottom > 120:  # a whole head, not a slab
        centre[2] = top - 78
    return np.asarray(centre)


def onto_grid(scan: Scan, grid: Grid, centre: NDArray[np.float64]) -> Tensor:
    """The scan on `grid` around `centre`, float32 [x, y, z]; 0 outside the scan."""
    factor = [max(1, int(grid.spacing / step + 0.25)) for step in scan.spacing]
    factor = [min(wanted, n) for wanted, n in zip(factor, scan.data.shape, strict=True)]
    box = grid.affine(centre)
    part = _reached(np.linalg.inv(scan.affine) @ box, grid.shape, scan.data.shape, factor)
    if part is None:
        return torch.zeros(grid.shape)
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ ([one.start for one in part] + (np.array(factor) - 1) / 2)
    affine[:3, :3] *= factor
    return _sample(_averaged(scan.data[part], factor)[None, None], np.linalg.inv(affine) @ box, grid.shape)[0]


def _averaged(data: FloatArray, factor: list[int]) -> Tensor:
    """Means over blocks of `factor` voxels, so that fine scans do not alias; what fills no block is left out."""
    volume = torch.from_numpy(np.ascontiguousarray(data.T))  # as a file holds it, so that nothing is copied
    if max(factor) > 1:
        volume = functional.avg_pool3d(volume[None, None], factor[::-1])[0, 0]
    return volume.permute(2, 1, 0)


def _reached(
    matrix: Affine, shape: tuple[int, ...], within: tuple[int, ...], blocks: Sequence[int] = (1, 1, 1)
) -> Part | None:
    """The part of an array that a box of `shape` reaches into, its indices times `matrix` being the array's.

    One voxel farther on every side, in both, since values are interpolated, and in whole blocks; None where they do
    not meet.
    """
    corners = np.array(np.meshgrid(*((-1, n) for n in shape))).reshape(3, -1)
    places = matrix[:3, :3] @ corners + matrix[:3, 3:]
    found: list[slice] = []
    for row, n, block in zip(places, within, blocks, strict=True):
        first = max(int(np.floor(row.min() / block)) - 1, 0)
        last = min(int(np.ceil(row.max() / block)) + 2, n // block)
        if first >= last:
            return None
        found.append(slice(first * block, last * block))
    return found[0], found[1], found[2]


def from_grid(values: Tensor, grid: Grid, centre: NDArray[np.float64], scan: Scan) -> FloatArray:
    """`values` [channels, x, y, z] on `grid` interpolated at the voxels of `scan`: [channels, x, y, z]; 0 outside."""
    found = np.zeros((len(values), *scan.data.shape), dtype=np.float32)
    for part, some in parts_from_grid(values, grid, centre, scan):
        found[:, *part] = some
    return found


def parts_from_grid(
    values: Tensor, grid: Grid, centre: NDArray[np.float64], scan: Scan
) -> Iterator[tuple[Part, FloatArray]]:
    """What `from_grid` gives, where it is not 0 anyway, in slabs that bound memory: each part of the scan's voxels."""
    matrix: Affine = np.linalg.inv(grid.affine(centre)) @ scan.affine
    reached = _reached(np.linalg.inv(scan.affine) @ grid.affine(centre), grid.shape, scan.data.shape)
    if reached is None:
        return
    for start in range(reached[0].start, reached[0].stop, SLAB):
        part = slice(start, min(start + SLAB, reached[0].stop)), reached[1], reached[2]
        moved = matrix.copy()
        moved[:3, 3] += matrix[:3, :3] @ [one.start for one in part]
        shape = tuple(one.stop - one.start for one in part)
        yield part, _sample(values[None], moved, shape).numpy()


def _sample(volume: Tensor, matrix: Affine, shape: tuple[int, ...]) -> Tensor:
    """`volume` [1, channels, x, y, z] at `matrix` @ index for every index of `shape`: [channels, *shape]."""
    axes = [torch.arange(n, dtype=volume.dtype) for n in shape]
    place: list[Tensor] = []
    for row, length in zip(matrix[:3], volume.shape[2:], strict=True):
        x, y, z = (float(part) * axis for part, axis in zip(row[:3], axes, strict=True))
        voxel = x[:, None, None] + y[None, :, None] + z[None, None, :] + float(row[3])
        place.append(voxel * (2 / max(length - 1, 1)) - 1)
    where = torch.stack(place[::-1], dim=-1)[None]
    return functional.grid_sample(volume, where, align_corners=True, padding_mode="zeros")[0]


def normalise(volume: Tensor) -> Tensor:
    """Intensities without the scanner: a slowly varying receive field divided out, then median 0 and spread 1.

    `volume` [x, y, z] is not negative. Voxels outside the head become −4; the result stays within −4..8.
    """
    volume = volume.clamp(min=0)
    bright = volume[volume > volume.mean()]
    head = volume > (0.3 * bright.mean() if bright.numel() else 0)
    if int(head.sum()) < 64:
        return torch.full_like(volume, -4.0)
    flat = volume / _field(volume, head)
    inside = flat[head]
    middle = inside.median()
    spread = (inside - middle).abs().median().clamp(min=1e-3) * 1.4826
    return torch.where(head, (flat - middle) / spread, torch.full_like(flat, -4.0)).clamp(-4, 8)


def _field(volume: Tensor, head: Tensor) -> Tensor:
    """The receive field: the head's own intensity, clipped against lesions and blurred over about 50 mm."""
    inside = volume[head]
    clipped = volume.clamp(max=float(inside.median()) * 1.6) * head
    weight = box_mean(head.float(), 9, 3)
    return (box_mean(clipped, 9, 3) / weight.clamp(min=1e-3)).clamp(min=float(inside.median()) * 0.25)


def box_mean(volume: Tensor, width: int, passes: int = 2) -> Tensor:
    """Running mean over cubes of `width` (odd) voxels, `passes` times; zeros outside. [x, y, z] → same."""
    half = width // 2
    for axis in [0, 1, 2] * passes:
        n = volume.shape[axis]
        pads = [0, 0, 0, 0, 0, 0]
        pads[4 - 2 * axis], pads[5 - 2 * axis] = half + 1, half
        total = functional.pad(volume, pads).cumsum(axis)
        volume = (total.narrow(axis, width, n) - total.narrow(axis, 0, n)) / width
    return volume
