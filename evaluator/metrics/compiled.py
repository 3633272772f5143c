"""Loops that numba compiles where it is installed; without it, and in short runs, numpy does the same work.

The kernels are plain functions, and every result is the one that numpy gives, whole numbers throughout.
Importing numba takes about a second, and compiling some seconds more, once per installation: machine code is
kept beside this file, or where numba keeps it for a user. So nothing is loaded until a process has done as much
work in numpy as compiling would take. `EVALUATOR_COMPILED=1` loads at the first use instead, which suits a
worker that scores all day; `EVALUATOR_COMPILED=0` never does.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from evaluator.metrics import _kernels, _run_kernels

SWITCH = "EVALUATOR_COMPILED"
"""Variable of the environment: 1 compiles at the first use, 0 never."""
_WORTH = 10.0
"""Seconds of work in numpy after which compiling has paid for itself."""


@dataclass(frozen=True)
class Kernels:
    """The compiled functions; see those of the same names."""

    project: Callable[..., None]
    encode: Callable[..., None]
    gather: Callable[..., int]
    meet: Callable[..., int]
    tick: Callable[..., None]
    pairs_won: Callable[..., None]
    trace: Callable[..., None]
    unite: Callable[..., None]
    number: Callable[..., int]


@dataclass
class _Spent:
    """Seconds of work that this process has given to numpy."""

    seconds: float = 0.0


_spent = _Spent()


def kernels(seconds: float = 0.0) -> Kernels | None:
    """The compiled functions, or None where numpy is to be used.

    Args:
        seconds: what numpy will need for the work at hand, about; parts of work already counted give 0.
    """
    switch = os.environ.get(SWITCH, "")
    if switch == "0":
        return None
    if switch != "1" and _spent.seconds < _WORTH:
        _spent.seconds += seconds
        return None
    return _loaded()


@cache
def _loaded() -> Kernels | None:
    """The compiled functions, or None where numba cannot make them: an option must not end a scoring.

    It may be missing, not know this numpy, be broken, shadowed by another module of its name, or have no place to keep
    machine code, without which every process would compile anew.
    """
    try:
        return _compiled()
    except Exception:  # noqa: BLE001 - whatever is wrong with it, numpy does the same work
        return None


def _compiled() -> Kernels:
    """All kernels, compiled for just the types they are called with, so that no later call compiles."""
    from numba import njit, types

    def given(kind: Any, dimensions: int = 1) -> Any:
        return types.Array(kind, dimensions, "C", readonly=True)

    def compiled(function: Callable[..., Any], *signatures: Any) -> Callable[..., Any]:
        made: Callable[..., Any] = njit(list(signatures), cache=True, nogil=True)(function)
        return made

    whole, octet = types.int64, types.uint8
    indices, octets = whole[::1], octet[::1]
    flags, floats = given(types.boolean), types.float64[::1]
    ends, begins, parents = types.int32[::1], indices, types.int32[::1]
    return Kernels(
        compiled(_kernels.project, types.void(given(octet), octets, octets)),
        compiled(_kernels.encode, types.void(given(octet, 3), octets, given(whole))),
        compiled(_kernels.gather, whole(given(octet), given(types.uint64), indices, indices)),
        compiled(
            _kernels.meet, whole(given(octet), given(octet), given(whole), given(whole), indices, indices)
        ),
        compiled(_kernels.tick, types.void(given(octet), octets, given(whole), given(whole), indices)),
        compiled(
            _kernels.pairs_won,
            *(
                types.void(given(kind, 2), given(whole), flags, flags, floats)
                for kind in (types.float32, types.float64)
            ),
        ),
        compiled(_run_kernels.trace, types.void(given(octet, 3), ends, begins)),
        compiled(_run_kernels.unite, types.void(ends, begins, whole, given(whole), parents)),
        compiled(_run_kernels.number, whole(ends, begins, parents, types.int32[:, :, ::1], indices)),
    )
