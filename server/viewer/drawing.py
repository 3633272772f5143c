"""One slice as a picture: grey values, the outlines of labels, and a cross where the three planes meet.

The patient's right is on the left of the picture, as radiologists look. A voxel is a block as large as it is in
millimetres; nothing is interpolated.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.cases import Plane
from server.viewer.volumes import Volume

AXES = {Plane.AXIAL: (0, 1, 2), Plane.CORONAL: (0, 2, 1), Plane.SAGITTAL: (1, 2, 0)}
"""Of each plane the axes that run across and up, and the one that it is cut through."""
EDGES = {Plane.AXIAL: "RLAP", Plane.CORONAL: "RLSI", Plane.SAGITTAL: "APSI"}
"""What lies to the left, right, top and bottom of each."""
COLOURS = ("#5cc8c2", "#f2a65a", "#b89be0", "#7db4ff", "#f08db8", "#c3d06a")
"""Of labels, in their order: the series of the pages on dark ground, for slices are dark."""
_CROSS = (255, 214, 90)
_DASH = 6  # pixels of a dash and its gap
USUAL_SIDE = 300
"""Pixels of the longer side of a plane: three fit beside each other, and one on a telephone."""
Place = tuple[int, int, int]


@dataclass(frozen=True)
class Grid:
    """How many voxels there are along each axis, and the millimetres of a step."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class Drawn:
    """How large a plane is drawn, in pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class Outline:
    """A label map to be drawn, on the grid of the image; an output's outline is dashed."""

    labels: Volume
    dashed: bool = False


def frame(volume: Volume | Grid, plane: Plane, side: int) -> Drawn:
    """The plane with its longer side of `side` pixels, in the proportions that it has in millimetres."""
    across, up, _ = AXES[plane]
    wide, high = (volume.shape[axis] * volume.spacing[axis] for axis in (across, up))
    scale = side / max(wide, high)
    return Drawn(max(1, round(wide * scale)), max(1, round(high * scale)))


def inside(volume: Volume | Grid, at: tuple[int | None, int | None, int | None]) -> Place:
    """Where that is in the volume: inside of it, whatever was asked for, and the middle where nothing was."""
    x, y, z = (
        length // 2 if wanted is None else min(max(0, wanted), length - 1)
        for wanted, length in zip(at, volume.shape, strict=True)
    )
    return x, y, z


def place_at(volume: Volume | Grid, plane: Plane, at: Place, side: int, column: int, row: int) -> Place:
    """Where somebody clicked, in voxels; `at` says which slice it was."""
    across, up, _ = AXES[plane]
    size = frame(volume, plane, side)
    place = list(at)
    place[across] = _voxel(column, size.width, volume.shape[across])
    place[up] = _voxel(row, size.height, volume.shape[up])
    return place[0], place[1], place[2]


def _voxel(pixel: int, pixels: int, voxels: int) -> int:
    """Both axes of every plane run against those of the volume: right is on the left, and up is at the top."""
    return voxels - 1 - min(voxels - 1, max(0, int((pixel + 0.5) * voxels / pixels)))


def draw(
    image: Volume,
    plane: Plane,
    at: Place,
    *,
    side: int,
    window: tuple[float, float],
    outlines: tuple[Outline, ...] = (),
    order: tuple[int, ...] = (),
    cross: bool = True,
) -> NDArray[np.uint8]:
    """The picture, of shape (height, width, 3). order: of labels, which says their colours."""
    size = frame(image, plane, side)
    low, high = window
    grey = _cut(image, plane, at, size).astype(np.float64) * image.slope + image.intercept
    grey = np.nan_to_num((grey - low) / max(high - low, 1e-12), nan=0.0, posinf=1.0, neginf=0.0)
    levels = (np.clip(grey, 0, 1) * 255).astype(np.uint8)
    picture = np.repeat(levels[:, :, None], 3, axis=2)
    if cross:
        _cross(picture, image, plane, at)
    for outline in outlines:
        map_ = outline.labels
        values = _cut(map_, plane, at, size).astype(np.float64) * map_.slope + map_.intercept
        _outline(picture, np.rint(values).astype(np.int64), order, dashed=outline.dashed)
    return picture


def _cut(volume: Volume, plane: Plane, at: Place, size: Drawn) -> NDArray[Any]:
    """The slice with a row for each row of pixels and a column for each column."""
    across, up, through = AXES[plane]
    where: list[Any] = [slice(None)] * 3
    where[through] = at[through]  # a view: to take it would copy the whole volume first
    slice_ = volume.voxels[tuple(where)]
    columns = [_voxel(pixel, size.width, volume.shape[across]) for pixel in range(size.width)]
    rows = [_voxel(pixel, size.height, volume.shape[up]) for pixel in range(size.height)]
    found: NDArray[Any] = slice_[np.ix_(columns, rows)].T
    return found


def _outline(
    picture: NDArray[np.uint8], labels: NDArray[np.int64], order: tuple[int, ...], *, dashed: bool
) -> None:
    """Pixels of a label beside which another one lies, in its colour; darker around it, or white would swallow it."""
    padded = np.pad(labels, 1)
    inner = padded[1:-1, 1:-1]
    beside = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    edge = (inner != 0) & np.logical_or.reduce([inner != other for other in beside])
    if dashed:
        rows, columns = np.indices(edge.shape)
        edge &= (rows + columns) % _DASH < _DASH // 2
    else:
        picture[(inner == 0) & np.logical_or.reduce([other != 0 for other in beside])] //= 3
    for place, label in enumerate(order):
        picture[edge & (inner == label)] = colour_of(place)


def colour_of(place: int) -> tuple[int, int, int]:
    """The colour of the label at this place of the task's."""
    text = COLOURS[place % len(COLOURS)]
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _cross(picture: NDArray[np.uint8], image: Volume, plane: Plane, at: Place) -> None:
    """Two faint lines where the other planes cut this one."""
    across, up, _ = AXES[plane]
    height, width, _ = picture.shape
    column = int((image.shape[across] - at[across] - 0.5) * width / image.shape[across])
    row = int((image.shape[up] - at[up] - 0.5) * height / image.shape[up])
    for line in (picture[:, column], picture[row, :]):
        line[:] = (line.astype(np.uint16) + np.array(_CROSS, np.uint16)) // 2
