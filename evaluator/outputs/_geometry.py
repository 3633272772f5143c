"""Where images lie, and how large their voxels are: one rule each for inputs, outputs and references."""

import numpy as np
from numpy.typing import NDArray

from evaluator.outputs._nifti import Header

_SAME_SIZE = 1e-3
"""Relative: scanners and tools write voxel sizes rounded to four digits."""

_RIGHT_ANGLE = 0.01
"""Cosine between two axes up to which distances along them are those of a rectangular grid, to a percent."""

_Affine = NDArray[np.float64]


def same_affine(one: _Affine, other: _Affine) -> bool:
    """Whether two affines are the same up to 1 µm and the rounding of float32."""
    return bool(np.allclose(one, other, rtol=1e-5, atol=1e-3))


def turned(one: _Affine, other: _Affine) -> bool:
    """Whether an axis of `one` points nearly against, or along another one, of `other`: mirrored or swapped."""
    try:
        with np.errstate(all="ignore"):
            steps = np.linalg.solve(other[:3, :3], one[:3, :3])
    except np.linalg.LinAlgError:
        return False
    if not np.isfinite(steps).all():
        return False
    return bool((np.abs(steps).argmax(axis=0) != np.arange(3)).any() or (np.diag(steps) < 0).any())


def sheared(affine: _Affine) -> bool:
    """Whether axes of the image are not at right angles, by more than half a degree; the affine is no flat one."""
    axes = affine[:3, :3] / np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() > _RIGHT_ANGLE)


def spacing_problem(header: Header) -> str | None:
    """Why there is no voxel size in mm that can be relied on, as a predicate that says what to do; None if there is.

    The size is that of `pixdim`, which must be positive, in millimetres, and that of the affine.
    """
    steps = header.spacing[:3]
    if not all(0 < step < np.inf for step in steps):
        return f"has a voxel size that is not positive ({_sizes(steps)} in pixdim); write the true one"
    if header.unit is not None:
        return f"gives its voxel size in {header.unit} (xyzt_units); write it in millimetres"
    with np.errstate(all="ignore"):
        lengths = np.sqrt((header.affine[:3, :3] ** 2).sum(axis=0))[: len(steps)]
    if not np.allclose(lengths, steps, rtol=_SAME_SIZE, atol=0):
        return (
            f"has two voxel sizes, {_sizes(steps)} in pixdim and {_sizes(lengths)} in its affine; "
            "write the true one in both"
        )
    return None


def _sizes(steps: _Affine | tuple[float, ...]) -> str:
    return " × ".join(f"{step:.4g}" for step in steps) + " mm"
