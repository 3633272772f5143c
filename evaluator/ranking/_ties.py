"""Ranking of numbers with ties."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

from evaluator.spec import Ranking

TOLERANCE = 1e-9
"""Values that differ by no more are equal."""

K = TypeVar("K", bound=Hashable)


def tied_ranks(values: Mapping[K, float], *, ties: str, higher_is_better: bool) -> dict[K, float]:
    """The rank of every key, 1 is best.

    Args:
        values: finite numbers.
        ties: the number that equals share: "min" their first place, "average" the mean of their places,
            "dense" the count of better groups + 1.
        higher_is_better: whether the largest value ranks first.
    """
    groups: list[list[K]] = []
    for key in sorted(values, key=lambda key: values[key], reverse=higher_is_better):
        if groups and abs(values[key] - values[groups[-1][0]]) <= TOLERANCE:
            groups[-1].append(key)
        else:
            groups.append([key])
    ranks: dict[K, float] = {}
    for number, group in enumerate(groups, 1):
        first = len(ranks) + 1
        shared = {"min": first, "average": first + (len(group) - 1) / 2, "dense": number}[ties]
        ranks.update(dict.fromkeys(group, float(shared)))
    return ranks


def with_missing(ranks: dict[K, float], keys: list[K]) -> dict[K, float]:
    """`ranks` in the order of `keys`; those without one share the place after all that have one."""
    return {key: ranks.get(key, float(len(ranks) + 1)) for key in keys}


def whole_places(overall: Mapping[K, float], ranking: Ranking) -> dict[K, int]:
    """Places by overall rank, lowest first. Places are whole numbers: averaged ties share the first."""
    ties = "dense" if ranking.ties == "dense" else "min"
    found = tied_ranks(overall, ties=ties, higher_is_better=False)
    return {key: int(place) for key, place in found.items()}
