"""Bootstrap draws that depend on the dataset alone, so that replicates of all submissions are paired.

A draw is a row of counts: how often each case is in the resample. Statistics of a thousand resamples are then
matrix products of counts and per-case values.
"""

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]

DRAWS = 2
"""The version of how cases are drawn; in the first one, strata of any size were drawn from apart."""

SMALLEST = 10
"""Subjects of a stratum: drawn m of m the variance is (m − 1)/m of what it should be, of one subject nothing."""


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

    Returns:
        an array that is not to be written to: boards of one dataset share it.
    """
    return _drawn(tuple(unit_numbers(units).tolist()), tuple(strata), resamples, digest)


@lru_cache(maxsize=2)
def _drawn(units: tuple[int, ...], strata: tuple[Hashable, ...], resamples: int, digest: str) -> Counts:
    unit_of_case = np.array(units, dtype=np.intp)
    members: dict[frozenset[Hashable], list[int]] = {}
    combinations = _of_units(unit_of_case, strata)
    for number, found in enumerate(combinations):
        members.setdefault(found, []).append(number)
    stream = np.random.Generator(np.random.PCG64(seed_of(digest)))
    counts = np.zeros((resamples, len(combinations)))
    for group in members.values():  # in the order in which strata first occur
        probabilities = np.full(len(group), 1 / len(group))
        counts[:, group] = stream.multinomial(len(group), probabilities, size=resamples)
    by_case: Counts = counts[:, unit_of_case]
    by_case.flags.writeable = False
    return by_case


def pooled_strata(
    units: Sequence[Hashable], strata: Sequence[Hashable], kept: Sequence[Hashable]
) -> list[Hashable]:
    """The stratum of each case after strata of fewer than `SMALLEST` units are drawn from together.

    Only strata that agree in `kept`, the classes of their units, are joined: all that are too small, and if these
    are too few together the smallest of the others. Units of several classes are joined whichever these are, where
    fewer than `SMALLEST` have the same.

    Args:
        units: per case, the unit it belongs to.
        strata: per case, its stratum.
        kept: per case, what is never joined.
    """
    numbers = unit_numbers(units)
    own, other = (_of_units(numbers, names) for names in (strata, kept))
    rare = {classes for classes, members in Counter(other).items() if len(classes) > 1 and members < SMALLEST}
    found: list[Hashable] = list(zip(own, other, strict=True))
    by_class: dict[Hashable, Counter[Hashable]] = {}
    for number, classes in enumerate(other):
        if classes in rare:
            found[number] = "several classes"
        else:
            by_class.setdefault(classes, Counter())[found[number]] += 1
    joined = {name: kind for kind, sizes in by_class.items() for name in _too_small(sizes)}
    return [joined.get(found[number], found[number]) for number in numbers]


def _too_small(sizes: Counter[Hashable]) -> Iterator[Hashable]:
    """The strata to be joined, smallest first."""
    total = 0
    for name in sorted(sizes, key=lambda name: sizes[name]):
        if sizes[name] >= SMALLEST and not 0 < total < SMALLEST:
            return
        total += sizes[name]
        yield name


def _of_units(numbers: npt.NDArray[np.intp], names: Sequence[Hashable]) -> list[frozenset[Hashable]]:
    """The names of each unit's cases."""
    found: list[set[Hashable]] = [set() for _ in range(int(numbers.max(initial=-1)) + 1)]
    for number, name in zip(numbers, names, strict=True):
        found[number].add(name)
    return [frozenset(one) for one in found]


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
