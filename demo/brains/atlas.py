"""The anatomy every synthetic subject starts from: the MNI152 tissue maps that ship inside the nilearn wheel.

Only the wheel's data files are read; importing nilearn itself would cost seconds.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from demo.brains.model import FloatArray

HULL_SPACING = 2
MARGIN = 20  # mm around the template, so that the head's shells fit
FAR = 60.0  # mm; distances are cut off here


@dataclass(frozen=True)
class Atlas:
    """Template maps on one isotropic grid, all float32 [x, y, z].

    `grey` and `white` are tissue fractions 0..1, the rest is fluid; `junction` is white matter blurred over
    5 mm. `surface` is the signed distance in mm to the hull of the brain (negative inside), `ventricle` that to
    the lateral ventricles and `ventricle_slope` its gradient [3, x, y, z]. `origin` is the MNI coordinate in mm
    of voxel (0, 0, 0).
    """

    spacing: float
    origin: FloatArray
    grey: FloatArray
    white: FloatArray
    junction: FloatArray
    surface: FloatArray
    ventricle: FloatArray
    ventricle_slope: FloatArray

    def sample(self, channel: FloatArray, points: FloatArray) -> FloatArray:
        """Linear interpolation of `channel` at `points` [3, …] in template mm; beyond the grid its edge."""
        origin = self.origin.reshape((3,) + (1,) * (points.ndim - 1))
        where = (points - origin) / np.float32(self.spacing)
        values: FloatArray = ndimage.map_coordinates(
            channel, where, order=1, mode="nearest", output=np.float32
        )
        return values


@lru_cache(maxsize=3)
def load_atlas(spacing: float) -> Atlas:
    """The atlas at `spacing` mm (never finer than the template's 1 mm); kept for the life of the process."""
    step = max(float(spacing), 1.0)
    grey, white, mask, origin = _template()
    coarse = {"surface": _hull_distance(mask), "ventricle": _ventricle_distance(grey + white, origin)}
    maps = {
        name: _resample(values, 1.0, step, mask.shape) for name, values in (("grey", grey), ("white", white))
    }
    maps |= {name: _resample(values, HULL_SPACING, step, mask.shape) for name, values in coarse.items()}
    maps["junction"] = ndimage.gaussian_filter(maps["white"], 2.2 / step)
    smooth = ndimage.gaussian_filter(maps["ventricle"], 2.5 / step)
    slope = np.stack([np.gradient(smooth, step, axis=axis) for axis in range(3)])
    return Atlas(step, origin, ventricle_slope=slope.astype(np.float32), **maps)


def _template() -> tuple[FloatArray, FloatArray, NDArray[np.bool_], FloatArray]:
    """Sharpened grey and white fractions, the brain mask and the origin, cut to the brain and MARGIN; 1 mm."""
    head, affine = _read("t1")
    bounds = [np.flatnonzero(head.any(axis=axes))[[0, -1]] for axes in ((1, 2), (0, 2), (0, 1))]
    box = tuple(slice(first, last + 1) for first, last in bounds)
    mask = np.pad(head[box] > 0.05, MARGIN)
    grey, white = (np.pad(_read(name)[0][box], MARGIN) for name in ("gm", "wm"))
    fluid = np.clip(1 - grey - white, 0, 1)
    # The maps are averages of 152 people; raising them to a power takes one person's sharpness back.
    power = np.float32(1.7)
    grey, white, fluid = grey**power, white**power, fluid**power
    total = grey + white + fluid
    origin = affine[:3, 3].astype(np.float32) + [first - MARGIN for first, _ in bounds]
    return grey / total, white / total, mask, np.asarray(origin, dtype=np.float32)


def _read(name: str) -> tuple[FloatArray, NDArray[np.float64]]:
    spec = find_spec("nilearn")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the demo's brains are made from the template inside the nilearn wheel")
    data = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    image: Any = nib.load(data / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
    return np.asarray(image.dataobj, dtype=np.float32) / np.float32(255), np.asarray(image.affine)


def _hull_distance(mask: NDArray[np.bool_]) -> FloatArray:
    """Signed distance to the brain closed over its sulci, at HULL_SPACING."""
    small = mask[::HULL_SPACING, ::HULL_SPACING, ::HULL_SPACING]
    reach = 6.0
    closed = ndimage.distance_transform_edt(~small) * HULL_SPACING <= reach
    closed = ndimage.distance_transform_edt(closed) * HULL_SPACING > reach
    return ndimage.gaussian_filter(_signed_distance(closed | small), 1.0)


def _ventricle_distance(tissue: FloatArray, origin: FloatArray) -> FloatArray:
    """Signed distance to the lateral ventricles: the largest body of fluid in the middle of the brain."""
    centre = [np.arange(n) + o for n, o in zip(tissue.shape, origin, strict=True)]
    bounds = ((-32, 32), (-52, 40), (-12, 30))
    box = [(axis > low) & (axis < high) for axis, (low, high) in zip(centre, bounds, strict=True)]
    middle = np.zeros(tissue.shape, dtype=bool)
    middle[np.ix_(*box)] = True
    parts, _ = ndimage.label((tissue < 0.5) & middle)
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return _signed_distance((parts == largest)[::HULL_SPACING, ::HULL_SPACING, ::HULL_SPACING])


def _signed_distance(mask: NDArray[np.bool_]) -> FloatArray:
    outside = ndimage.distance_transform_edt(~mask)
    inside = ndimage.distance_transform_edt(mask)
    return np.asarray(np.clip((outside - inside) * HULL_SPACING, -FAR, FAR), dtype=np.float32)


def _resample(values: FloatArray, have: float, want: float, full: tuple[int, ...]) -> FloatArray:
    """`values` at `have` mm on a grid of `want` mm with the same origin, blurred first if it is coarser."""
    if have == want:
        return np.asarray(values, dtype=np.float32)
    if want > have:
        values = ndimage.gaussian_filter(values, 0.35 * want / have)
    shape = tuple(int(np.ceil(n / want)) for n in full)
    scale = want / have
    return np.asarray(
        ndimage.affine_transform(values, [scale] * 3, output_shape=shape, order=1, mode="nearest")
    )
