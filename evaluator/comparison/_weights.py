"""What other weights of the boards would make of the places."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.ranking import TOLERANCE, Values
from evaluator.resampling import seed_of

_DRAWS = 10_000


@dataclass(frozen=True)
class Shift:
    """Other weights, (boards,), that add up to 1: `moved` of the whole weight lies on other boards than declared.

    change: (boards,) by how much each is more than declared.
    """

    moved: float
    weights: Values
    change: Values


def weight_space(weights: Values, boards: Values) -> Values:
    """Share of the weights around the declared ones under which each team is first, (teams,); ties count for each.

    Weights are drawn from the Dirichlet distribution whose mean is the declared weights and whose parameters add up to
    the number of boards with a weight: with equal weights all others are equally likely. The draws are always the same.

    Args:
        weights: (boards,) as declared; boards without any stay so.
        boards: (boards, teams) ranks, NaN where a board is left out of a team's mean.
    """
    counting = (weights > 0) & np.isfinite(boards).any(axis=1)
    known = np.isfinite(boards[counting])
    if not known.any():
        return np.zeros(boards.shape[1])
    shares = weights[counting] / weights[counting].sum()
    stream = np.random.Generator(np.random.PCG64(seed_of("weights")))
    drawn = stream.dirichlet(shares * len(shares), size=_DRAWS)
    with np.errstate(invalid="ignore"):
        means = (drawn @ np.where(known, boards[counting], 0)) / (drawn @ known)
    means = np.where(np.isnan(means), np.inf, means)
    share: Values = (means <= means.min(axis=1, keepdims=True) + TOLERANCE).mean(axis=0)
    return share


def least_shift(weights: Values, boards: Values, leader: int, rival: int) -> Shift | None:
    """The least weight to move to other boards until `rival` has the mean rank of `leader`; any more, and it is ahead.

    All of it goes to the board where the rival is best against the leader, and comes from where it is worst. None where
    the rival is nowhere ahead, or the two have not the same boards.

    Args:
        weights: (boards,) as declared.
        boards: (boards, teams) ranks, NaN where a board is left out of a team's mean.
        leader: the number of the team that is ahead.
        rival: the number of the other.
    """
    left_out = np.isnan(boards[:, [leader, rival]])
    if (left_out[:, 0] != left_out[:, 1]).any():
        return None
    counting = ~left_out[:, 0]
    lead = np.where(counting, boards[:, rival] - boards[:, leader], 0)
    shares = np.where(counting, weights, 0)
    shares = shares / shares.sum()
    declared = shares.copy()
    best = int(np.argmin(lead))
    missing = float(shares @ lead)
    if lead[best] >= 0 or missing < 0:
        return None
    moved = 0.0
    for board in np.argsort(-lead, kind="stable"):
        if missing <= 0 or lead[board] <= lead[best]:
            break
        part = min(float(shares[board]), missing / float(lead[board] - lead[best]))
        missing -= part * float(lead[board] - lead[best])
        shares[board] -= part
        shares[best] += part
        moved += part
    return Shift(moved, shares, shares - declared)


def nowhere_ahead(boards: Values, leader: int, rivals: Sequence[int]) -> bool:
    """Whether no weights of the boards would put a rival ahead of the leader; both need to have the same boards."""
    known = np.isfinite(boards)
    behind = [
        bool((known[:, rival] == known[:, leader]).all())
        and not (boards[:, rival] < boards[:, leader] - TOLERANCE).any()
        for rival in rivals
    ]
    return bool(behind) and all(behind)
