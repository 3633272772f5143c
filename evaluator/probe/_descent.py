"""The lowest point of a smooth convex function by L-BFGS (Nocedal, Mathematics of Computation 1980;35:773).

In numpy alone: importing scipy's optimizers takes longer than the fit of a probe.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Loss = Callable[[Array], tuple[float, Array]]

_REMEMBERED = 10
_SUFFICIENT = 1e-4  # Armijo: share of the promised decrease that a step must keep
_SHORTEST = 1e-12


def lowest(loss: Loss, start: Array, *, steps: int = 500, tolerance: float = 1e-8) -> Array:
    """Where `loss` is lowest, reached when no entry of its gradient exceeds `tolerance`.

    Args:
        loss: gives value and gradient at a point of shape (n,).
        start: shape (n,).
        steps: at most so many; the last point is returned if they do not suffice.
        tolerance: largest entry of the gradient at the end.
    """
    point = start.copy()
    value, slope = loss(point)
    past: deque[tuple[Array, Array, float]] = deque(maxlen=_REMEMBERED)
    for _ in range(steps):
        if np.abs(slope).max() <= tolerance:
            break
        direction = -_turned(slope, past)
        length = 1.0 if past else 1 / max(1.0, float(np.linalg.norm(slope)))
        promised = float(slope @ direction)
        new_value, new_slope = loss(point + length * direction)
        while not new_value <= value + _SUFFICIENT * length * promised and length > _SHORTEST:
            length /= 2
            new_value, new_slope = loss(point + length * direction)
        if not new_value < value:  # as low as rounding lets it go
            break
        step, change = length * direction, new_slope - slope
        if step @ change > 0:
            past.append((step, change, 1 / float(step @ change)))
        point, value, slope = point + step, new_value, new_slope
    return point


def _turned(slope: Array, past: deque[tuple[Array, Array, float]]) -> Array:
    """The gradient times the inverse curvature that the past steps have shown."""
    result = slope.copy()
    shares: list[float] = []
    for step, change, rho in reversed(past):
        shares.append(rho * float(step @ result))
        result -= shares[-1] * change
    if past:
        step, change, _ = past[-1]
        result *= float(step @ change) / float(change @ change)
    for (step, change, rho), share in zip(past, reversed(shares), strict=True):
        result += step * (share - rho * float(change @ result))
    return result
