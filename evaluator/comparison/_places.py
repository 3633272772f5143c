"""How sure places are, from the places that paired replicates give."""

import numpy as np
import numpy.typing as npt

from evaluator.ranking import TOLERANCE, Values

Places = npt.NDArray[np.intp]


def rank_intervals(places: Places, level: float) -> tuple[Places, Places]:
    """Lowest and highest place per team, each of shape (teams,), that hold at least `level` of the replicates.

    Args:
        places: (replicates, teams).
        level: such as 0.95; what lies outside is at most half of the rest on either side.
    """
    tail = (1 - level) / 2
    low, high = np.quantile(places, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return low.astype(np.intp), high.astype(np.intp)


def probability_of_top(places: Places, count: int) -> Values:
    """Share of the replicates in which each team has place `count` or better; teams that tie each have it."""
    share: Values = (places <= count).mean(axis=0)
    return share


def tie_groups(overall: Values, apart: npt.NDArray[np.bool_]) -> Places:
    """Group of each team, 1 is the best, shape (teams,).

    Going down the ranking, a team joins the group of the team before it unless it can be told apart from the
    group's first team, and then it is the first of the next group. Teams that share a place are taken
    together, so no name decides.

    Args:
        overall: (teams,) what the order comes from, lower is better, NaN last.
        apart: (teams, teams) which pairs can be told apart: `RankSets.apart`, or significant tests.
    """
    ordered = np.where(np.isnan(overall), np.inf, overall)
    groups = np.zeros(len(ordered), dtype=np.intp)
    first = np.zeros(0, dtype=np.intp)
    waiting = np.argsort(ordered, kind="stable")
    while len(waiting):
        best = ordered[waiting[0]]
        level = waiting[ordered[waiting] <= best + TOLERANCE]
        if not len(first) or apart[np.ix_(first, level)].any():
            first = level
            groups[level] = groups.max() + 1
        else:
            groups[level] = groups[first[0]]
        waiting = waiting[len(level) :]
    return groups


def kendall_tau(places: Places, reference: Places) -> Values:
    """Kendall's tau-b of each replicate's ranking with the full one, shape (replicates,).

    tau-b = Σ sign·sign / √(pairs untied in one · pairs untied in the other); NaN where all teams tie in one.

    Args:
        places: (replicates, teams).
        reference: (teams,).
    """
    first, second = np.triu_indices(len(reference), 1)
    full = np.sign(reference[first] - reference[second])
    taus = np.empty(len(places))
    for start in range(0, len(places), 256):
        signs = np.sign(places[start : start + 256, first] - places[start : start + 256, second])
        untied = np.abs(signs).sum(axis=1) * float(np.abs(full).sum())
        with np.errstate(invalid="ignore", divide="ignore"):
            taus[start : start + 256] = signs @ full / np.sqrt(untied)
    return taus


def first_among(places: Places, chosen: npt.NDArray[np.bool_]) -> list[int]:
    """The numbers of those with the best place among the chosen teams, of whom there is one or more."""
    return np.flatnonzero(chosen & (places == places[chosen].min())).tolist()
