"""The area of the surface inside one 2×2×2 neighbourhood, for each of its 256 sets of corners.

The surface separates set from unset corners and crosses every edge between them in the middle. Corners that
share no edge are separated, so each edge-connected part has a surface of its own, and a neighbourhood with
more than half its corners set has the surface of the unset ones. What is left are six shapes, whose surface
is a polygon made of flat pieces; the area of a piece follows from its normal, whose components scale with
the area of a voxel's faces.
"""

from functools import lru_cache
from math import hypot

import numpy as np
from numpy.typing import NDArray

_EDGES = tuple((a, a | 1 << axis, axis) for a in range(8) for axis in range(3) if not a >> axis & 1)
"""The twelve edges of a cube: two corners (one bit per axis) and the axis they lie along."""


@lru_cache(maxsize=64)
def element_areas(spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Surface areas in mm², shape (256,); bit `x0 + 2·x1 + 4·x2` of the index is the corner (x0, x1, x2)."""
    x, y, z = spacing_mm
    faces = (y * z, x * z, x * y)
    areas = np.array([_area(code, faces) for code in range(256)])
    areas.flags.writeable = False
    return areas


def _area(code: int, faces: tuple[float, float, float]) -> float:
    corners = {corner for corner in range(8) if code >> corner & 1}
    if len(corners) > 4:
        corners = set(range(8)) - corners
    return sum(_part_area(part, faces) for part in _parts(corners))


def _parts(corners: set[int]) -> list[set[int]]:
    """The edge-connected parts of a set of corners."""
    parts: list[set[int]] = []
    for corner in corners:
        touching = [part for part in parts if any(one ^ corner in (1, 2, 4) for one in part)]
        parts = [part for part in parts if part not in touching]
        parts.append({corner}.union(*touching))
    return parts


def _part_area(part: set[int], faces: tuple[float, float, float]) -> float:
    inside = [(a, b, axis) for a, b, axis in _EDGES if a in part and b in part]
    axes = [axis for _, _, axis in inside]
    diagonal = hypot(*faces)
    if not axes:  # one corner: the triangle that cuts it off
        return diagonal / 8
    if len(part) == 2:  # an edge: a rectangle along it
        return _slope(faces, *_others(axes[0])) / 2
    if len(part) == 3:  # three corners of a face: half a face, and a trapezium down to the fourth
        (across,) = {0, 1, 2} - set(axes)
        return faces[across] / 2 + diagonal * 3 / 8
    if len(axes) == 4:  # a face
        (across,) = {0, 1, 2} - set(axes)
        return faces[across]
    degree = {corner: sum(corner in edge[:2] for edge in inside) for corner in part}
    if max(degree.values()) == 3:  # a corner and its three neighbours: a regular hexagon
        return diagonal * 3 / 4
    (middle,) = (axis for a, b, axis in inside if degree[a] == degree[b] == 2)
    one, other = _others(middle)  # a path along all three axes: two diagonal triangles and two sloping ones
    return diagonal / 2 + (_slope(faces, middle, one) + _slope(faces, middle, other)) / 4


def _others(axis: int) -> tuple[int, int]:
    one, other = sorted({0, 1, 2} - {axis})
    return one, other


def _slope(faces: tuple[float, float, float], one: int, other: int) -> float:
    return hypot(faces[one], faces[other])
