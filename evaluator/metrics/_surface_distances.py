"""How far each element of one surface is from the other surface.

Most elements have the other surface within a few voxels. For these, the steps to nearby neighbourhoods are
tried in the order of their length, all elements at once: the first that meets the other surface is the
distance. Only what is left, and only if a metric needs it, is looked up in a search tree, or in a feature
transform where that is cheaper. Elements of one distance are counted by code, so that no list of all elements
is ever sorted.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics._lattice import Lattice, Shell, shells_of
from evaluator.metrics._surface_steps import Histogram, steps_between
from evaluator.metrics._surfaces import Indices, Surface
from evaluator.metrics.surface_area import element_areas

_TIE = 1e-9
"""Shares of a surface that differ by less are told apart by rounding only."""
_CHUNK = 1 << 20
_STEP, _TREE_BUILD, _TREE_QUERY, _TRANSFORM = 0.006, 0.7, 6.0, 0.15
"""Measured microseconds: one step of one element; a search tree per point and per query; a transform per
neighbourhood."""
_ALWAYS = 60
"""So many steps are tried before anything is searched for: the shells up to about two voxels."""


@dataclass(frozen=True)
class DistanceProfile:
    """Distances in mm, ascending, and the area in mm² that lies at each; `total` is the whole surface's."""

    distances: NDArray[np.float64]
    areas: NDArray[np.float64]
    total: float

    def quantile(self, share: float) -> float:
        """The smallest distance that at least this share of the area, up to 1e-9, does not exceed."""
        at = int(np.searchsorted(self._reached, share - _TIE))
        return float(self.distances[min(at, len(self.distances) - 1)])

    def is_tied(self, share: float) -> bool:
        """Whether the area up to some distance is this share exactly, so that rounding decides."""
        return bool((np.abs(self._reached - share) < _TIE).any())

    @cached_property
    def _reached(self) -> NDArray[np.float64]:
        return np.cumsum(self.areas) / self.total

    def mean(self) -> float:
        """The mean distance, weighted by area."""
        return float(self.distances @ self.areas) / self.total

    def within(self, distance: float) -> float:
        """The area at most this far away."""
        return float(self.areas[self.distances <= distance].sum())


def pooled(one: DistanceProfile, other: DistanceProfile) -> DistanceProfile:
    """The profile of both surfaces together."""
    distances = np.concatenate([one.distances, other.distances])
    areas = np.concatenate([one.areas, other.areas])
    return _profile(distances, areas, one.total + other.total)


def _profile(distances: NDArray[np.float64], areas: NDArray[np.float64], total: float) -> DistanceProfile:
    order = np.argsort(distances)
    distances = distances[order]
    starts = np.flatnonzero(np.diff(distances, prepend=-1.0))
    if not len(starts):
        return DistanceProfile(distances, areas, total)
    return DistanceProfile(distances[starts], np.add.reduceat(areas[order], starts), total)


class OneWay:
    """Distances from the elements of `own` to `other`, found as far as they are asked for.

    Both surfaces have elements and lie on one grid, which has room for the steps of `lattice`.
    """

    def __init__(self, own: Surface, other: Surface, lattice: Lattice) -> None:
        self._own, self._other, self._lattice = own, other, lattice
        self._areas = _areas(lattice)
        self._shells = shells_of(lattice)
        self._steps = steps_between(own, other)
        self._near: list[tuple[float, Histogram]] = [(0.0, self._steps.met)]
        self._area_found = float(self._steps.met @ self._areas)
        self._resolved = int(self._steps.met.sum())
        self.total = float(own.histogram @ self._areas)

    def area_within(self, tolerance_mm: float) -> float:
        """The area in mm² of the elements at most this far away."""
        if tolerance_mm > self._shells.radius:
            return self.profile.within(tolerance_mm)
        while self._ahead and self._ahead[0].length <= tolerance_mm:
            self._try_next()
        return self._near_profile().within(tolerance_mm)

    def quantile(self, share: float) -> float:
        """The smallest distance in mm that at least this share of the area does not exceed.

        Where the share is reached exactly, areas are added up one by one, nearest and smallest first, and
        rounding decides as it does in DeepMind's code.
        """
        enough = (share + _TIE) * self.total
        while self._area_found < enough and self._worth_trying():
            self._try_next()
        profile = self._near_profile() if self._area_found >= enough else self.profile
        return self._one_by_one(share) if share < 1 and profile.is_tied(share) else profile.quantile(share)

    @cached_property
    def profile(self) -> DistanceProfile:
        """All distances."""
        distances, codes = self._far
        near = self._near_profile()
        far = _profile(distances, self._areas[codes], self.total)
        return DistanceProfile(
            np.append(near.distances, far.distances), np.append(near.areas, far.areas), self.total
        )

    def _one_by_one(self, share: float) -> float:
        far, codes = self._far
        lengths = np.repeat([length for length, _ in self._near], [met.sum() for _, met in self._near])
        near_codes = np.concatenate([np.repeat(np.arange(256), met) for _, met in self._near])
        distances = np.append(lengths, far)
        areas = self._areas[np.append(near_codes, codes)]
        order = np.lexsort((areas, distances))
        areas = areas[order]
        at = int(np.searchsorted(np.cumsum(areas) / np.sum(areas), share))
        return float(distances[order][min(at, len(order) - 1)])

    def _near_profile(self) -> DistanceProfile:
        near = [(length, met) for length, met in self._near if met.any()]
        lengths = np.array([length for length, _ in near])
        areas = np.array([met @ self._areas for _, met in near])
        return DistanceProfile(lengths, areas, self.total)

    @property
    def _ahead(self) -> tuple[Shell, ...]:
        """The shells that have not been tried."""
        return self._shells.shells[len(self._near) - 1 :]

    def _worth_trying(self) -> bool:
        """Whether the steps that remain cost less than a search for the elements that do."""
        left, ahead = self._own.size - self._resolved, _count(self._ahead)
        if not ahead or not left:
            return False
        tried = _count(self._shells.shells) - ahead
        return tried < _ALWAYS or left * ahead * _STEP < self._other.size * _TREE_BUILD

    def _try_next(self) -> None:
        shell = self._ahead[0]
        met = self._steps.meet(shell)
        self._near.append((shell.length, met))
        self._area_found += float(met @ self._areas)
        self._resolved += int(met.sum())

    @cached_property
    def _far(self) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Distances and codes of the elements that no step resolves."""
        while self._worth_trying():
            self._try_next()
        index = self._steps.left()
        tree = self._other.size * _TREE_BUILD + len(index) * _TREE_QUERY
        if not len(index):
            distances = np.zeros(0)
        elif tree < float(np.prod(self._own.grid.shape)) * _TRANSFORM:
            distances = self._searched(index)
        else:
            distances = self._transformed(index)
        return distances, self._own.codes[index]

    def _searched(self, index: Indices) -> NDArray[np.float64]:
        from scipy.spatial import cKDTree  # scipy takes as long to import as a case takes to score

        spacing = np.array(self._lattice.spacing)
        theirs = self._own.grid.positions(self._other.elements)
        tree = cKDTree(theirs.T * spacing, balanced_tree=False, compact_nodes=False)
        ours = self._own.grid.positions(index)
        _, nearest = tree.query(ours.T * spacing)
        return self._lattice.lengths(ours - theirs[:, nearest])

    def _transformed(self, index: Indices) -> NDArray[np.float64]:
        from scipy.ndimage import distance_transform_edt

        grid = self._own.grid
        nearest = distance_transform_edt(
            grid.block(self._other.codes) == 0,
            sampling=self._lattice.spacing,
            return_distances=False,
            return_indices=True,
        )
        distances = np.empty(len(index))
        for start in range(0, len(index), _CHUNK):
            ours = grid.positions(index[start : start + _CHUNK])
            theirs = nearest[:, ours[0], ours[1], ours[2]]
            distances[start : start + _CHUNK] = self._lattice.lengths(ours - theirs)
        return distances


def _count(shells: tuple[Shell, ...]) -> int:
    return sum(len(shell.steps) for shell in shells)


def _areas(lattice: Lattice) -> NDArray[np.float64]:
    """The area of each code along the axes of the lattice, to the last bit as along the image's."""
    if not lattice.flipped:
        return element_areas(lattice.spacing)
    first, second, third = lattice.spacing
    return element_areas((third, second, first))[_FLIPPED]


_FLIPPED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")[
        :, [0, 4, 2, 6, 1, 5, 3, 7]
    ],
    axis=1,
    bitorder="little",
).reshape(-1)
"""The code that each code becomes where the axes are named in reverse."""
