"""The voxel grid a site acquires on, and smooth fields on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from demo.brains.model import FloatArray

CELL = 5.0  # mm between the nodes of the lattice that carries deformations


@dataclass(frozen=True)
class Grid:
    """`shape` voxels of `voxel` mm; `low` is the corner of the field of view in mm.

    A thick slice is the mean of `layers` thin ones, as a scanner's slice profile makes it: `fine` is the grid
    of the thin ones, on which anatomy is built.
    """

    shape: tuple[int, int, int]
    voxel: tuple[float, float, float]
    low: tuple[float, float, float]
    layers: int
    flipped: bool

    @property
    def fine(self) -> tuple[int, int, int]:
        """Shape before thin layers are averaged to slices."""
        return self.shape[0], self.shape[1], self.shape[2] * self.layers

    @property
    def extent(self) -> FloatArray:
        """Distance in mm between the centres of the first and the last thin voxel along each axis."""
        step = np.array(self.voxel) / (1, 1, self.layers)
        return ((np.array(self.fine) - 1) * step).astype(np.float32)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel indices to mm, as stored."""
        affine = np.diag((*self.voxel, 1.0))
        affine[:3, 3] = np.array(self.low) + np.array(self.voxel) / 2
        if self.flipped:
            affine[0, 3] += (self.shape[0] - 1) * self.voxel[0]
            affine[0, 0] *= -1
        return affine

    def nodes(self) -> FloatArray:
        """Lattice nodes in subject mm, [3, a, b, c]; the outer nodes are the centres of the outer voxels."""
        first = np.array(self.low) + np.array(self.voxel) / (2, 2, 2 * self.layers)
        axes = [
            np.linspace(start, start + length, max(4, int(length / CELL)), dtype=np.float32)
            for start, length in zip(first, self.extent, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"))

    def fill(self, lattice: FloatArray) -> FloatArray:
        """Linear interpolation of a lattice [a, b, c] to the fine grid."""
        return _spread(lattice, [_hat(n, m) for n, m in zip(self.fine, lattice.shape, strict=True)])

    def noise(self, rng: np.random.Generator, size_mm: float) -> FloatArray:
        """A smooth random field of unit variance whose blobs are about `size_mm` wide; fine grid."""
        shape = [max(3, int(length / size_mm) + 1) for length in self.extent]
        lattice = rng.standard_normal(shape, dtype=np.float32)
        return _spread(lattice, [_bell(n, m) for n, m in zip(self.fine, shape, strict=True)])

    def slices(self, fine: FloatArray) -> FloatArray:
        """Thin layers averaged to the slices of the site."""
        if self.layers == 1:
            return fine
        total = sum((fine[:, :, layer :: self.layers] for layer in range(self.layers)), np.float32(0))
        return np.asarray(total / np.float32(self.layers), dtype=np.float32)

    def stored(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """`values` in the order in which the site stores voxels."""
        return np.ascontiguousarray(values[::-1] if self.flipped else values)


def make_grid(
    low: tuple[float, float, float],
    size: tuple[float, float, float],
    voxel: tuple[float, float, float],
    *,
    flipped: bool,
) -> Grid:
    """The grid of `voxel` mm that covers the box of `size` mm from the corner `low`."""
    shape = tuple(int(np.ceil(length / step)) for length, step in zip(size, voxel, strict=True))
    layers = max(1, round(voxel[2] / voxel[0]))
    return Grid((shape[0], shape[1], shape[2]), voxel, low, layers, flipped)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> FloatArray:
    """Gaussian noise on a lattice, blurred by `sigma` nodes and brought back to unit variance."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma)
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)


def _spread(lattice: FloatArray, weights: list[FloatArray]) -> FloatArray:
    """A lattice to a fine grid, axis by axis.

    Stacks of small matrix products, each below the size at which BLAS would wake threads that spin for nothing.
    """
    x, y, z = weights
    rows = (x @ lattice.transpose(1, 0, 2)).transpose(1, 0, 2)
    return np.asarray((y @ rows) @ z.T, dtype=np.float32)


def _hat(fine: int, coarse: int) -> FloatArray:
    """Weights [fine, coarse] of linear interpolation."""
    return np.clip(1 - _steps(fine, coarse), 0, 1).astype(np.float32)


def _bell(fine: int, coarse: int) -> FloatArray:
    """Weights that blur, with rows of unit length, so that noise keeps its variance everywhere."""
    weights = np.exp(-0.5 * (_steps(fine, coarse) / 0.6) ** 2)
    length = np.sqrt((weights**2).sum(axis=1, keepdims=True))
    return np.asarray(weights / length, dtype=np.float32)


def _steps(fine: int, coarse: int) -> NDArray[np.float64]:
    away = np.linspace(0, coarse - 1, fine)[:, None] - np.arange(coarse)
    return np.asarray(np.abs(away), dtype=np.float64)
