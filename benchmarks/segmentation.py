"""Dice and surface Dice of one case, against google-deepmind's `surface-distance` package."""

import numpy as np
import surface_distance
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks._compare import Comparison, compare
from evaluator.metrics.overlap import dice
from evaluator.metrics.surface import surface_dice

SPACING = (1.0, 1.0, 1.0)
TOLERANCE = 1.0
WHOLE = (176, 256, 256)
REGION = (96, 128, 64)

Mask = NDArray[np.bool_]


def run() -> list[Comparison]:
    """A tumour of 20 mm radius in a whole head, and vessels that reach through a region of one."""
    cases = {"tumour": (tumour(0), tumour(2)), "vessels": (vessels(0), vessels(1))}
    return [_compare(name, *masks) for name, masks in cases.items()]


def tumour(shift: int) -> Mask:
    """A ball of 20 voxels radius, moved by `shift` voxels."""
    x, y, z = np.ogrid[: WHOLE[0], : WHOLE[1], : WHOLE[2]]
    return np.asarray((x - 80 - shift) ** 2 + (y - 100) ** 2 + (z - 120) ** 2 <= 400)


def vessels(shift: int) -> Mask:
    """The zero crossings of smooth noise where a second noise is high: about 2 voxels thick, moved by `shift`."""
    rng = np.random.default_rng(26)
    first, second = (gaussian_filter(rng.normal(size=REGION), 6) for _ in range(2))
    thin = (np.abs(first) < 0.1 * first.std()) & (second > 1.5 * second.std())
    return np.asarray(np.roll(thin, shift, axis=0))


def _compare(name: str, pred: Mask, ref: Mask) -> Comparison:
    difference = max(abs(a - b) for a, b in zip(_ours(pred, ref), _theirs(pred, ref), strict=True))
    if difference > 1e-9:
        raise RuntimeError(f"the two disagree on {name} by {difference}")
    return compare(
        f"DSC + NSD, {name}, {'×'.join(map(str, ref.shape))}",
        ("evaluator", lambda: _ours(pred, ref)),
        ("surface-distance", lambda: _theirs(pred, ref)),
        repeat=7,
    )


def _ours(pred: Mask, ref: Mask) -> tuple[float, float]:
    return dice(pred, ref), surface_dice(pred, ref, spacing_mm=SPACING, tolerance_mm=TOLERANCE)


def _theirs(pred: Mask, ref: Mask) -> tuple[float, float]:
    distances = surface_distance.compute_surface_distances(ref, pred, SPACING)
    return (
        float(surface_distance.compute_dice_coefficient(ref, pred)),
        float(surface_distance.compute_surface_dice_at_tolerance(distances, TOLERANCE)),
    )
