"""The trigeminal nerve and the vessels beside it: thin tubes in the fluid before the brainstem."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.brains.acquire import Lesion, mask
from demo.brains.anatomy import Anatomy
from demo.brains.model import FloatArray

NERVE, VESSEL = 1, 2
ROOM_MM = 2.0  # of fluid round each tube
CISTERN = (0, -20, -38), (27, 18, 26)  # centre and half axes in template mm: the fluid before the pons
FAR = 50.0
Nodes = Sequence[tuple[float, float, float]]


@dataclass(frozen=True)
class Tube:
    """A curve [n, 3] in template mm with a radius in mm."""

    kind: int
    curve: FloatArray
    radius: float


def draw_tubes(rng: np.random.Generator) -> list[Tube]:
    """Both nerves, the basilar artery and, on each side, the upper and the lower cerebellar artery."""
    bow = rng.normal(0, 1.5)
    basilar = [(0, -9, -58), (bow, -9, -46), (-bow, -7.5, -36), (0, -8, -25)]
    tubes = [Tube(VESSEL, _curve(basilar, rng, 0.3), rng.uniform(1.5, 1.9))]
    for side in (-1, 1):
        nerve = [(13, -21, -36), (17, -15, -37), (18, -8, -38), (20, 0, -39)]
        loop = rng.uniform(-33, -27)  # how far the artery dips towards the nerve
        upper = [(0, -8, -25), (9, -9, -26), (16, -13, loop), (20, -22, -29), (21, -32, -27)]
        lower = [(0, -9, -46), (9, -10, -45), (17, -14, -43), (24, -20, -42)]
        tubes.append(Tube(NERVE, _curve(_mirrored(nerve, side), rng, 0.8), rng.uniform(1.7, 2.3)))
        tubes.append(Tube(VESSEL, _curve(_mirrored(upper, side), rng, 1.2), rng.uniform(0.9, 1.3)))
        tubes.append(Tube(VESSEL, _curve(_mirrored(lower, side), rng, 1.2), rng.uniform(0.8, 1.2)))
    return tubes


def tube_distance(points: FloatArray, tube: Tube, reach: float = 6.0) -> FloatArray:
    """Distance in mm from `points` [3, …] to the tube's wall (negative inside); FAR where beyond `reach`."""
    shape = points.shape[1:]
    flat = points.reshape(3, -1)
    low, high = tube.curve.min(axis=0) - reach, tube.curve.max(axis=0) + reach
    near = np.flatnonzero(((flat >= low[:, None]) & (flat <= high[:, None])).all(axis=0))
    some = flat[:, near]
    best = np.full(near.size, FAR**2, dtype=np.float32)
    for node in tube.curve:
        best = np.minimum(best, ((some - node[:, None]) ** 2).sum(axis=0))
    distance = np.full(flat.shape[1], FAR, dtype=np.float32)
    distance[near] = np.sqrt(best) - np.float32(tube.radius)
    return distance.reshape(shape)


def _mirrored(nodes: Nodes, side: int) -> Nodes:
    return [(side * x, y, z) for x, y, z in nodes]


def _curve(nodes: Nodes, rng: np.random.Generator, jitter: float) -> FloatArray:
    """A smooth curve through jittered nodes (Catmull-Rom), a point about every millimetre."""
    fixed = np.array(nodes) + rng.normal(0, jitter, (len(nodes), 3))
    padded = np.vstack([2 * fixed[0] - fixed[1], fixed, 2 * fixed[-1] - fixed[-2]])
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        t = np.linspace(0, 1, max(3, int(np.linalg.norm(c - b))))[:, None]
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    return np.vstack(pieces).astype(np.float32)


def room(points: FloatArray, tubes: list[Tube]) -> FloatArray:
    """Signed distance in mm to the cistern round the tubes, negative inside; `points` [3, …]."""
    centre, axes = (np.array(part, dtype=np.float32).reshape(3, *[1] * (points.ndim - 1)) for part in CISTERN)
    level = np.sqrt((((points - centre) / axes) ** 2).sum(axis=0))
    cistern = (level - 1) * np.float32(min(CISTERN[1]))
    return np.asarray(np.minimum(_nearest(points, tubes) - np.float32(ROOM_MM), cistern), dtype=np.float32)


def paint(
    anatomy: Anatomy, tubes: list[Tube], rng: np.random.Generator
) -> tuple[list[Lesion], NDArray[np.uint8]]:
    """Fluid round the tubes, the tubes themselves, and their mask (1 nerve, 2 vessel; the vessel wins)."""
    free = 1 - _stem(anatomy.points)
    walls = {kind: _nearest(anatomy.points, [t for t in tubes if t.kind == kind]) for kind in (NERVE, VESSEL)}
    sleeve = np.clip(0.5 + ROOM_MM - np.minimum(*walls.values()), 0, 1) * free
    lesions = [Lesion(np.asarray(sleeve, dtype=np.float32), {"t2w": 1.2})]
    seg = mask(anatomy, np.zeros_like(anatomy.depth))
    voxel = np.float32(min(anatomy.grid.voxel))
    for kind, signal in ((NERVE, rng.uniform(0.45, 0.6)), (VESSEL, rng.uniform(0.06, 0.2))):
        weight = np.clip(0.5 - walls[kind] / voxel, 0, 1) * (free if kind == NERVE else np.float32(1))
        lesions.append(Lesion(np.asarray(weight, dtype=np.float32), {"t2w": signal}))
        seg[mask(anatomy, lesions[-1].weight) > 0] = kind
    return lesions, seg


def _nearest(points: FloatArray, tubes: list[Tube]) -> FloatArray:
    nearest = np.full(points.shape[1:], FAR, dtype=np.float32)
    for tube in tubes:
        nearest = np.minimum(nearest, tube_distance(points, tube))
    return nearest


def _stem(points: FloatArray) -> FloatArray:
    """1 in the pons and medulla, 0 outside: an ellipsoid; the nerve's mask starts at its surface."""
    away = (points - np.array([[0], [-25], [-37]])) / np.array([[16.5], [14], [22]])
    return np.asarray(np.clip((1 - np.sqrt((away**2).sum(axis=0))) * 8 + 0.5, 0, 1), dtype=np.float32)
