"""Lesions and their sizes against connected-components-3d, which finds components and leaves their sizes to numpy."""

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.support.compare import Comparison, compare
from benchmarks.support.routes import Route, routes
from evaluator.metrics.lesions import components

_SHAPE = (256, 256, 180)
_LEAST = 0.8
"""The least ratio where numba is installed; without it scipy does the work, which is several times slower."""

Mask = NDArray[np.bool_]


def run() -> list[Comparison]:
    """A prediction of noise, the worst that a container can write, and a few hundred lesions."""
    rng = np.random.default_rng(26)
    smooth = gaussian_filter(rng.standard_normal((128, 128, 90), np.float32), 3)
    masks = (
        ("half of 256×256×180 set at random", rng.random(_SHAPE, np.float32) < 0.5),
        ("260 in 128×128×90", smooth > 2 * smooth.std()),
    )
    return [_compare(f"lesions, {name}", mask, route) for route in routes() for name, mask in masks]


def _compare(name: str, mask: Mask, route: Route) -> Comparison:
    ours = route.taken_by(lambda: components(mask, 26))
    for one, other in zip(ours(), _theirs(mask), strict=True):
        if not np.array_equal(one, other):
            raise RuntimeError("the two disagree")
    theirs = ("connected-components-3d", lambda: _theirs(mask))
    least = _LEAST if route.compiled else None
    return compare(name, (f"evaluator{route.suffix}", ours), theirs, repeat=5, least=least)


def _theirs(mask: Mask) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    labels = cc3d.connected_components(mask, connectivity=26)
    return labels, np.bincount(labels[mask])[1:]
