"""Places that cannot be excluded: simultaneous and marginal confidence sets of ranks.

A team's place is 1 + the number of teams that are better. Where the difference of two teams is outside of what chance
gives anywhere among all pairs, the one is surely ahead, and the places that agree with all that is sure are the set
(Mogstad, Romano, Shaikh and Wilhelm, Review of Economic Studies 2024): with probability `level` no pair of the table is
put into the wrong order, so that every team's set holds its place at once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.ranking import TOLERANCE, Values

Places = npt.NDArray[np.intp]
Pairs = npt.NDArray[np.bool_]

_WIDER = 1.2  # drawn around values that still lie apart by chance, mean ranks vary up to a tenth too little


@dataclass(frozen=True)
class RankSets:
    """What is sure of the places of teams.

    ahead: (teams, teams), whether the row's team is surely ahead of the column's, for all pairs at once. low, high:
    (teams,) the places that agree with it. alone_low, alone_high: the same for a team that is looked at by itself; it
    is never wider, and holds for one team only. reach: (teams, teams) how far the difference of two may lie from the
    observed one, for all pairs at once; NaN where there is none, infinite where draws are too few to say.
    """

    ahead: Pairs
    low: Places
    high: Places
    alone_low: Places
    alone_high: Places
    reach: Values

    @property
    def apart(self) -> Pairs:
        """Which pairs have a sure order."""
        return self.ahead | self.ahead.T

    def leads(self, means: Values) -> tuple[Values, Values]:
        """Between what the row's team is ahead in mean ranks of the column's, for all pairs at once, (teams, teams).

        `means` are what the sets were made of. An interval ends at 0 where the order is sure: for the size of a lead
        the errors are taken for larger than for its sign.
        """
        lead = means[None, :] - means[:, None]
        reach = _WIDER * self.reach
        low = np.where(self.ahead, np.maximum(lead - reach, 0), lead - reach)
        return low, np.where(self.ahead.T, np.minimum(lead + reach, 0), lead + reach)


def rank_sets(
    observed: Values, deviations: Values, level: float, *, floor: float = 0.0, dense: bool = False
) -> RankSets:
    """Confidence sets of ranks from draws of how far `observed` may lie from the truth.

    Every studentised difference is compared with the distribution of the largest one among all pairs in the draws; for
    a team alone, with that of the largest one among its own.

    Args:
        observed: (teams,) what the places come from, lower is better; NaN shares the place after all numbers.
        deviations: (draws, teams) draws of the error, finite where `observed` is; paired between teams.
        level: such as 0.95.
        floor: least standard error of a pair as a part of the median one: a difference that moves in a few draws only
            has a standard error that says little.
        dense: whether no place is left out after teams that tie.
    """
    known, teams = np.isfinite(observed), len(observed)
    ahead, better, worse = (known[:, None] & ~known[None, :] for _ in range(3))
    reach = np.full((teams, teams), np.nan)
    if known.sum() > 1:
        centred = deviations[:, known] - deviations[:, known].mean(axis=0)
        inside = np.ix_(known, known)
        ahead[inside], better[inside], worse[inside], reach[inside] = _sure(
            observed[known], centred, level, floor
        )
    low, alone_low = (
        _chain(pairs, observed) if dense else 1 + pairs.sum(axis=0, dtype=np.intp)
        for pairs in (ahead, better)
    )
    return RankSets(ahead, low, teams - ahead.sum(axis=1), alone_low, teams - worse.sum(axis=1), reach)


def _sure(
    observed: Values, deviations: Values, level: float, floor: float
) -> tuple[Pairs, Pairs, Pairs, Values]:
    """Who is surely ahead of whom, for all pairs at once, for the column's team alone, and the row's; and the reach."""
    inverse = _inverse_errors(deviations, floor)
    lead = observed[None, :] - observed[:, None]  # of the row's team; lower is better
    lead = np.where(np.abs(lead) <= TOLERANCE, 0, lead)
    score = np.where(inverse > 0, lead * inverse, np.where(lead > 0, np.inf, 0))
    largest = _largest(deviations, inverse)
    by_team = np.array([_critical(row, level) for row in largest])
    joint = _critical(largest.max(axis=0), level)
    reach = np.divide(joint, inverse, out=np.zeros_like(inverse), where=inverse > 0)
    return score > joint, score > by_team[None, :], score > by_team[:, None], reach


def _inverse_errors(deviations: Values, floor: float) -> Values:
    """1 / standard error of each pair's difference, 0 where no draw moves it."""
    moments = deviations.T @ deviations / len(deviations)
    own = np.diag(moments)
    both = own[:, None] + own[None, :]
    variance = both - 2 * moments
    variance = np.where(variance > 1e-12 * both, variance, 0)  # less is rounding
    errors = np.sqrt(variance)
    pairs = errors[np.triu_indices(len(errors), 1)]
    least = floor * float(np.median(pairs))
    return np.divide(1, np.maximum(errors, least), out=np.zeros_like(errors), where=errors > 0)


def _largest(deviations: Values, inverse: Values) -> Values:
    """The largest studentised difference of each team with another in each draw, (teams, draws)."""
    rows = np.ascontiguousarray(deviations.T)
    found = np.empty(rows.shape)
    for team, row in enumerate(rows):
        differences = rows - row
        differences *= inverse[team][:, None]
        found[team] = np.abs(differences, out=differences).max(axis=0)
    return found


def _critical(largest: Values, level: float) -> float:
    """The value that at most 1 − level of as many draws exceed; infinite where they are too few to say."""
    place = int(np.ceil((len(largest) + 1) * level - 1e-9))
    return float(np.partition(largest, place - 1)[place - 1]) if place <= len(largest) else np.inf


def _chain(ahead: Pairs, observed: Values) -> Places:
    """The lowest place where ties leave none out: one more than the longest chain of teams that are surely ahead."""
    low = np.ones(len(observed), dtype=np.intp)
    for team in np.argsort(np.where(np.isnan(observed), np.inf, observed), kind="stable"):
        low[team] += low[ahead[:, team]].max(initial=0)
    return low
