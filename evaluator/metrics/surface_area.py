"""The area of the surface inside one 2×2×2 neighbourhood, for each of its 256 sets of corners.

The surface separates set from unset corners and crosses every edge between them in the middle. Corners that
share no edge are separated, so each edge-connected part has a surface of its own, and a neighbourhood with
more than half its corners set has the surface of the unset ones. What is left are six shapes, whose surface
is a polygon made of flat pieces; the area of a piece follows from its normal, whose components scale with
the area of a voxel's faces.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_Eighths = tuple[int, int, int]
"""The normal of a flat piece, in eighths of the area of a voxel's face across each axis."""

_EDGES = tuple((a, a | 1 << axis, axis) for a in range(8) for axis in range(3) if not a >> axis & 1)
"""The twelve edges of a cube: two corners (one bit per axis) and the axis they lie along."""


@lru_cache(maxsize=64)
def element_areas(spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Surface areas in mm², shape (256,); bit `x0 + 2·x1 + 4·x2` of the index is the corner (x0, x1, x2)."""
    areas = np.array([_area(code, spacing_mm) for code in range(256)])
    areas.flags.writeable = False
    return areas


def _area(code: int, spacing_mm: tuple[float, float, float]) -> float:
    corners = {corner for corner in range(8) if code >> corner & 1}
    if len(corners) > 4:
        corners = set(range(8)) - corners
    area = 0.0
    for part in _parts(corners):
        for eighths in _pieces(part):  # one by one: rounding is then that of most of DeepMind's table
            area += _piece_area(eighths, spacing_mm)
    return area


def _parts(corners: set[int]) -> list[set[int]]:
    """The edge-connected parts of a set of corners."""
    parts: list[set[int]] = []
    for corner in corners:
        touching = [part for part in parts if any(member ^ corner in (1, 2, 4) for member in part)]
        parts = [part for part in parts if part not in touching]
        parts.append({corner}.union(*touching))
    return parts


def _piece_area(eighths: _Eighths, spacing_mm: tuple[float, float, float]) -> float:
    x, y, z = spacing_mm
    a, b, c = (number / 8 for number in eighths)
    return float(np.linalg.norm([a * y * z, b * x * z, c * x * y]))


def _pieces(part: set[int]) -> list[_Eighths]:
    """The flat pieces of the surface of edge-connected corners."""
    inside = [(a, b, axis) for a, b, axis in _EDGES if a in part and b in part]
    axes = [axis for _, _, axis in inside]
    if not axes:  # one corner: the triangle that cuts it off
        return [(1, 1, 1)]
    if len(part) == 2:  # an edge: a rectangle along it
        return [_slope(axes[0])] * 2
    if len(part) == 3:  # three corners of a face: half a face, and a trapezium down to the fourth
        (across,) = {0, 1, 2} - set(axes)
        return [_half(across), (2, 2, 2), (1, 1, 1)]
    if len(axes) == 4:  # a face
        (across,) = {0, 1, 2} - set(axes)
        return [_half(across)] * 2
    degree = {corner: sum(corner in edge[:2] for edge in inside) for corner in part}
    if max(degree.values()) == 3:  # a corner and its three neighbours: a regular hexagon
        return [(2, 2, 2), (2, 2, 2), (1, 1, 1), (1, 1, 1)]
    (middle,) = (axis for a, b, axis in inside if degree[a] == degree[b] == 2)
    one, other = sorted({0, 1, 2} - {middle})  # a path along all three axes: two diagonal pieces, two sloping
    return [(3, 3, 3), _slope(other), (1, 1, 1), _slope(one)]


def _half(across: int) -> _Eighths:
    """Half a face across one axis."""
    first, second, third = (4 if axis == across else 0 for axis in range(3))
    return first, second, third


def _slope(along: int) -> _Eighths:
    """Half the rectangle along one axis that slopes between the other two."""
    first, second, third = (0 if axis == along else 2 for axis in range(3))
    return first, second, third
