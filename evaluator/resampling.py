"""Bootstrap draws that depend on the dataset alone, so that replicates of all submissions are paired.

A draw is a row of counts: how often each case is in the resample. Statistics of a thousand resamples are then
matrix products of counts and per-case values.
"""

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]


def seed_of(digest: str) -> int:
    """The seed of a dataset's draws, from its digest."""
    return int.from_bytes(hashlib.sha256(digest.encode()).digest())


def unit_numbers(units: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """The number of each case's unit, units numbered as they first occur, shape (cases,)."""
    names = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
    return np.array([names[unit] for unit in units], dtype=np.intp)


def draw_counts(
    units: Sequence[Hashable], strata: Sequence[Hashable], *, resamples: int, digest: str
) -> Counts:
    """How often each case occurs in each resample, shape (resamples, cases).

    Units (subjects; every case its own unit if wanted) are drawn with replacement, as many within each
    stratum as it has; the cases of a unit come together. A unit whose cases lie in several strata is in the
    stratum of units with just that combination.

    Args:
        units: per case, the unit it belongs to.
        strata: per case, its stratum.
        resamples: number of draws.
        digest: digest of the dataset; the same dataset gives the same draws.
    """
    unit_of_case = unit_numbers(units)
    combination: list[set[Hashable]] = [set() for _ in range(int(unit_of_case.max(initial=-1)) + 1)]
    for unit, stratum in zip(unit_of_case, strata, strict=True):
        combination[unit].add(stratum)
    members: dict[frozenset[Hashable], list[int]] = {}
    for number, of_unit in enumerate(combination):
        members.setdefault(frozenset(of_unit), []).append(number)
    stream = np.random.Generator(np.random.PCG64(seed_of(digest)))
    counts = np.zeros((resamples, len(combination)))
    for group in members.values():  # in the order in which strata first occur
        probabilities = np.full(len(group), 1 / len(group))
        counts[:, group] = stream.multinomial(len(group), probabilities, size=resamples)
    return counts[:, unit_of_case]


def is_drawn(counts: Counts) -> bool:
    """Whether the draws say anything of certainty: not if no stratum has two units, for then all are the data."""
    return bool((counts != 1).any())


def percentile_interval(replicates: npt.NDArray[np.float64], level: float) -> tuple[float, float] | None:
    """The central interval that holds `level` of the finite replicates, or None if there is none."""
    finite = replicates[np.isfinite(replicates)]
    if not len(finite):
        return None
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
