"""Ranking of numbers with ties, over whole arrays."""

import numpy as np
import numpy.typing as npt

from evaluator.spec import Ranking

Values = npt.NDArray[np.float64]

TOLERANCE = 1e-9
"""Values that differ from the first of their group by no more are equal."""


def tied_ranks(values: Values, *, ties: str, higher_is_better: bool) -> Values:
    """Ranks along the last axis, 1 is best; same shape as `values`.

    What is not finite has no rank of its own: it shares the place after everything that has one, whatever
    `ties` says.

    Args:
        values: shape (..., teams).
        ties: the number that equals share: "min" their first place, "average" the mean of their places,
            "dense" the count of better groups + 1.
        higher_is_better: whether the largest value ranks first.
    """
    known = np.isfinite(values)
    losses = np.where(known, -values if higher_is_better else values, np.inf)
    order = np.argsort(losses, axis=-1)
    shared = _shared(_group_starts(np.take_along_axis(losses, order, axis=-1)), ties)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, shared, axis=-1)
    return np.where(known, ranks, known.sum(axis=-1, keepdims=True) + 1.0)


def _group_starts(ordered: Values) -> npt.NDArray[np.bool_]:
    """Where a group of equals begins. Measured from its first member, so a chain of small steps has an end."""
    starts = np.ones(ordered.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        steps = np.diff(ordered, axis=-1)
        starts[..., 1:] = steps > TOLERANCE
        chains = ((steps > 0) & (steps <= TOLERANCE)).any(axis=-1)
    if chains.any():  # rare: elsewhere all members of a group are the same number, its first
        starts[chains] = _starts_in_chains(ordered[chains])
    return starts


def _starts_in_chains(ordered: Values) -> npt.NDArray[np.bool_]:
    """The same one by one, (rows, teams): a step from a group's first member may be several small ones."""
    columns = np.ascontiguousarray(ordered.T)
    starts = np.ones(columns.shape, dtype=bool)
    first = columns[:1]
    with np.errstate(invalid="ignore"):  # two missing values: inf − inf
        for number in range(1, len(columns)):
            here = columns[number : number + 1]
            starts[number] = (here - first > TOLERANCE)[0]
            first = np.where(starts[number : number + 1], here, first)
    return starts.T


def _shared(starts: npt.NDArray[np.bool_], ties: str) -> Values:
    if ties == "dense":
        return starts.cumsum(axis=-1).astype(np.float64)
    places = np.arange(1, starts.shape[-1] + 1)
    lowest = np.maximum.accumulate(np.where(starts, places, 1), axis=-1)
    if ties == "min":
        return lowest.astype(np.float64)
    ends = np.ones_like(starts)
    ends[..., :-1] = starts[..., 1:]
    highest = np.minimum.accumulate(np.where(ends, places, len(places))[..., ::-1], axis=-1)[..., ::-1]
    mean: Values = (lowest + highest) / 2
    return mean


def whole_places(overall: Values, ranking: Ranking) -> npt.NDArray[np.intp]:
    """Places by overall rank, lowest first. Places are whole numbers: averaged ties share the first."""
    ties = "dense" if ranking.ties == "dense" else "min"
    return tied_ranks(overall, ties=ties, higher_is_better=False).astype(np.intp)
