"""One subject's anatomy on one grid: the template, posed, deformed and aged."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.brains.atlas import Atlas
from demo.brains.grid import CELL, Grid, smooth_noise
from demo.brains.model import FloatArray

CENTRE = np.array([0, -18, 10], dtype=np.float32)  # about which heads turn, template mm
# Amplitude and width in mm: the shape of the head, the course of the folds.
BENDS = ((2.4, 28.0), (1.0, 12.0))
# Outside the hull: fluid, bone, marrow, bone, scalp, air.
SHELL_MM = (0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 12.0, 14.0)
TILT = 0.07  # radians, one standard deviation

Warp = Callable[[FloatArray], FloatArray]


@dataclass
class Anatomy:
    """Tissue of the voxels inside the hull, as vectors of length N = `inside.sum()`.

    `points` [3, N] are template mm: a place in the template is the same anatomy in every subject. `depth` is
    the distance under the hull in mm, `surface` the signed distance to the hull on the whole fine grid; `shell` marks
    skull and scalp there.
    `grey + white + fluid = 1`. `ventricle` is the distance to the lateral ventricles in mm.
    """

    grid: Grid
    surface: FloatArray
    inside: NDArray[np.bool_]
    shell: NDArray[np.bool_]
    points: FloatArray
    grey: FloatArray
    white: FloatArray
    fluid: FloatArray
    depth: FloatArray
    ventricle: FloatArray

    def field(self, rng: np.random.Generator, size_mm: float) -> FloatArray:
        """Smooth unit noise at the points inside the hull."""
        return self.grid.noise(rng, size_mm)[self.inside]

    def image(self, weights: FloatArray) -> FloatArray:
        """A vector over the points as an image on the fine grid, 0 outside."""
        full = np.zeros(self.grid.fine, dtype=np.float32)
        full[self.inside] = weights
        return full

    def widen_sulci(self, bias: float | FloatArray) -> None:
        """Let fluid win (`bias` > 0) or lose against grey matter at their border; log odds, also per point."""
        fluid = self.fluid * np.exp(np.float32(1) * bias)
        grey = self.grey * np.exp(np.float32(-0.5) * bias)
        total = np.maximum(fluid + grey + self.white, np.float32(1e-4))
        self.grey, self.white, self.fluid = grey / total, self.white / total, fluid / total


def build_anatomy(
    grid: Grid,
    atlas: Atlas,
    rng: np.random.Generator,
    *,
    ventricles_mm: float = 0.0,
    size: float = 1.0,
    warp: Warp | None = None,
    room: Warp | None = None,
) -> Anatomy:
    """A subject from its random stream.

    Args:
        grid: where the voxels are.
        atlas: the template, at about the grid's resolution.
        rng: the subject's stream; pose and deformation are drawn from it.
        ventricles_mm: how far the ventricles' walls lie outside the template's; at most about 7.
        size: size of the head relative to the template.
        warp: moves points [3, N] before tissue is looked up, without moving the skull (mass effect).
        room: signed distance in mm to a space [3, …] → […] that is added to the hull and filled with fluid.

    """
    lattice = _deformed_nodes(grid, rng, size)
    distance = atlas.sample(atlas.ventricle, lattice)
    lattice = lattice - _ventricle_push(atlas, lattice, distance, ventricles_mm)
    place = np.stack([grid.fill(axis) for axis in lattice])
    surface = atlas.sample(atlas.surface, place)
    if room is not None:
        surface = np.minimum(surface, room(place))
    inside = surface < 0.5
    points = place[:, inside]
    source = points if warp is None else warp(points)
    grey, white = atlas.sample(atlas.grey, source), atlas.sample(atlas.white, source)
    fluid = np.clip(1 - grey - white, 0, 1)
    ventricle = grid.fill(distance - np.float32(ventricles_mm))[inside]
    shell = ~inside & (surface < SHELL_MM[-1])
    return Anatomy(grid, surface, inside, shell, points, grey, white, fluid, -surface[inside], ventricle)


def _deformed_nodes(grid: Grid, rng: np.random.Generator, size: float) -> FloatArray:
    nodes = grid.nodes()
    turn = _rotation(rng.normal(0, TILT, 3)) @ np.diag(rng.normal(1.0, 0.025, 3) / size)
    shift = rng.normal(0, 2.0, 3)
    flat = (turn.astype(np.float32) @ (nodes.reshape(3, -1) - CENTRE[:, None])) + CENTRE[:, None]
    posed = flat.reshape(nodes.shape) + shift.astype(np.float32)[:, None, None, None]
    for amplitude, width in BENDS:
        bend = [smooth_noise(rng, nodes.shape[1:], width / CELL) for _ in range(3)]
        posed = posed + np.float32(amplitude) * np.stack(bend)
    return np.asarray(posed, dtype=np.float32)


def _ventricle_push(atlas: Atlas, nodes: FloatArray, distance: FloatArray, millimetres: float) -> FloatArray:
    """Displacement that looks tissue up nearer to the ventricle; fades over 12 mm outside, 6 mm inside."""
    fade = np.where(distance > 0, np.exp(-distance / 12), np.clip(1 + distance / 6, 0, 1))
    slope = np.stack([atlas.sample(axis, nodes) for axis in atlas.ventricle_slope])
    return np.asarray(np.float32(millimetres) * fade * slope, dtype=np.float32)


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    return turn
