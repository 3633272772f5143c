"""DSC, NSD and HD95 of one case, against google-deepmind's `surface-distance` package, on the same masks."""

import functools
from typing import Any

import numpy as np
import surface_distance
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.support.compare import Comparison, compare
from benchmarks.support.routes import Route, routes
from evaluator.metrics import CaseData, segmentation
from evaluator.metrics.overlap import dice
from evaluator.metrics.registry import lookup
from evaluator.metrics.surface import surface_dice

TOLERANCE = 1.0
REGION = (96, 128, 64)
_REPEAT = 11  # the shortest take milliseconds, which other load multiplies now and then

Mask = NDArray[np.bool_]
Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]

_TUMOURS: tuple[tuple[str, Shape, Spacing, float, float, float], ...] = (
    ("256×256×180 at 1 mm, 0.15 % foreground", (256, 256, 180), (1.0, 1.0, 1.0), 0.0015, 9, 4),
    ("256×256×180 at 1 mm, 1.4 % foreground", (256, 256, 180), (1.0, 1.0, 1.0), 0.014, 20, 7),
    ("512×512×400 at 0.5×0.5×0.6 mm, 0.9 % foreground", (512, 512, 400), (0.5, 0.5, 0.6), 0.009, 15, 7),
)
"""Name, shape, spacing, share of the reference, and the least ratios for DSC + NSD alone and with HD95."""

_COMPILED: dict[str, tuple[float, float]] = {
    _TUMOURS[0][0]: (9, 4),
    _TUMOURS[1][0]: (40, 14),
    _TUMOURS[2][0]: (30, 14),
}
"""The least ratios where numba is installed."""

_ALONE = {_TUMOURS[0][0]: 10, _TUMOURS[1][0]: 20, _TUMOURS[2][0]: 15}
"""The least ratios of the functions `dice` and `surface_dice`, one after the other: each has to read both images."""


def run() -> list[Comparison]:
    """One tumour in three images, which favours neither side, and vessels that fill a region."""
    results = []
    for name, shape, spacing, share, *least in _TUMOURS:
        masks = tumours(shape, spacing, share)
        for route in routes():
            ratios = _COMPILED[name] if route.compiled else least
            for least_of_route, hd95 in zip(ratios, (False, True), strict=True):
                asked = "DSC + NSD + HD95" if hd95 else "DSC + NSD"
                results.append(_compare(f"{asked}, {name}", masks, spacing, hd95, least_of_route, route))
        results += _one_by_one(name, masks, spacing, routes()[-1])
    masks, name = (vessels(0), vessels(1)), "DSC + NSD, vessels, 96×128×64 at 1 mm"
    results += [_compare(name, masks, (1.0, 1.0, 1.0), False, None, route) for route in routes()]
    return results


def tumours(shape: Shape, spacing: Spacing, share: float) -> tuple[Mask, Mask]:
    """A ball that fills `share` of the image, and the same 2 % larger and moved by a fraction of a voxel."""
    extent = np.array(shape) * spacing
    radius = (3 * share * extent.prod() / (4 * np.pi)) ** (1 / 3)
    moved = np.array([0.4, 0.9, -0.6])
    return _ball(shape, spacing, extent / 2 + moved, radius * 1.02), _ball(shape, spacing, extent / 2, radius)


def _ball(shape: Shape, spacing: Spacing, centre: NDArray[np.float64], radius: float) -> Mask:
    steps = (
        np.arange(length) * step - middle for length, step, middle in zip(shape, spacing, centre, strict=True)
    )
    x, y, z = np.meshgrid(*(step.astype(np.float32) ** 2 for step in steps), indexing="ij", sparse=True)
    return np.asarray(x + y + z <= radius**2)


def vessels(shift: int) -> Mask:
    """The zero crossings of smooth noise where a second noise is high: about 2 voxels thick, moved by `shift`."""
    rng = np.random.default_rng(26)
    first, second = (gaussian_filter(rng.normal(size=REGION), 6) for _ in range(2))
    thin = (np.abs(first) < 0.1 * first.std()) & (second > 1.5 * second.std())
    return np.asarray(np.roll(thin, shift, axis=0))


def _compare(
    name: str, masks: tuple[Mask, Mask], spacing: Spacing, hd95: bool, least: float | None, route: Route
) -> Comparison:
    asked: dict[str, dict[str, Any]] = {"dice": {}, "surface_dice": {"tolerance_mm": TOLERANCE}}
    if hd95:
        asked["hausdorff"] = {"percentile": 95, "one_empty": 0}
    metrics = parsed(asked)
    ours = route.taken_by(functools.partial(_ours, *masks, spacing, metrics))
    theirs = functools.partial(_theirs, *masks, spacing, metrics)
    difference = max(abs(a - b) for a, b in zip(ours(), theirs(), strict=True))
    if difference > 1e-9:
        raise RuntimeError(f"the two disagree on {name} by {difference}")
    return compare(
        name, (f"evaluator{route.suffix}", ours), ("surface-distance", theirs), repeat=_REPEAT, least=least
    )


def _one_by_one(
    name: str, masks: tuple[Mask, Mask], spacing: Spacing, route: Route
) -> tuple[Comparison, Comparison]:
    """The public functions, which each look for the foreground of whole images, against that package and one call."""

    def each() -> tuple[float, ...]:
        return dice(*masks), surface_dice(*masks, spacing_mm=spacing, tolerance_mm=TOLERANCE, both_empty=0.0)

    ours = route.taken_by(each)
    theirs = functools.partial(_theirs, *masks, spacing, {})
    difference = max(abs(a - b) for a, b in zip(ours(), theirs(), strict=True))
    if difference > 1e-9:
        raise RuntimeError(f"the two disagree on {name} by {difference}")
    metrics = parsed({"dice": {}, "surface_dice": {"tolerance_mm": TOLERANCE}})
    one_call = route.taken_by(functools.partial(_ours, *masks, spacing, metrics))
    named = f"DSC + NSD, a call for each, {name}", (f"evaluator{route.suffix}", ours)
    return (
        compare(*named, ("surface-distance", theirs), repeat=_REPEAT, least=_ALONE[name]),
        compare(*named, ("evaluator, one call for both", one_call), repeat=3 * _REPEAT),
    )


def _ours(pred: Mask, ref: Mask, spacing: Spacing, metrics: dict[str, Any]) -> tuple[float, ...]:
    return tuple(segmentation.score_case(CaseData(pred, ref, spacing), metrics).values())


def _theirs(pred: Mask, ref: Mask, spacing: Spacing, metrics: dict[str, Any]) -> tuple[float, ...]:
    distances = surface_distance.compute_surface_distances(ref, pred, spacing)
    values = [
        surface_distance.compute_dice_coefficient(ref, pred),
        surface_distance.compute_surface_dice_at_tolerance(distances, TOLERANCE),
    ]
    if "hausdorff" in metrics:
        values.append(surface_distance.compute_robust_hausdorff(distances, 95))
    return tuple(float(value) for value in values)


def parsed(asked: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The metrics of these names, with their parameters for label 1, as a board holds them."""
    return {name: (lookup(name), lookup(name).parse({"labels": [1], **more})) for name, more in asked.items()}
