"""What other weights of the boards would make of the places."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.comparison._places import first_among
from evaluator.ranking import TOLERANCE, Values, mean_ranks, whole_places
from evaluator.resampling import seed_of
from evaluator.spec import Ranking

_DRAWS = 10_000
_BEYOND = 1e-6  # mean ranks by which a rival is ahead where it is looked who is first beyond a shift


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


def least_shift(
    weights: Values, boards: Values, leader: int, rival: int, *, ahead: float = 0.0
) -> Shift | None:
    """The least weight to move to other boards until `rival` has the mean rank of `leader`; any more, and it is ahead.

    All of it goes to the board where the rival is best against the leader, and comes from where it is worst. None where
    the rival is nowhere ahead, or the two have not the same boards.

    Args:
        weights: (boards,) as declared.
        boards: (boards, teams) ranks, NaN where a board is left out of a team's mean.
        leader: the number of the team that is ahead.
        rival: the number of the other.
        ahead: by how much the rival's mean rank is to be better.
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
    missing = float(shares @ lead) + ahead
    if lead[best] >= -ahead or missing < 0:
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


def shift_to_another(
    ranking: Ranking, weights: Values, boards: Values, leader: int, rivals: Sequence[int]
) -> tuple[Shift, int] | None:
    """The least shift from which on another team is first, and the number of that team, all ranked again.

    None where no other one is first alone then, and where not all have the same boards: mean ranks over different ones
    do not move in proportion to the weights, and a rival may be nearer than this finds.

    Args:
        ranking: the rule.
        weights: (boards,) as declared.
        boards: (boards, teams) ranks, NaN where a board is left out of a team's mean.
        leader: the number of the only team that is first of those that may win.
        rivals: the numbers of the others, those first that are preferred where several are as near.
    """
    known = np.isfinite(boards[:, [leader, *rivals]])
    if (known != known[:, :1]).any():
        return None
    shifts = {rival: least_shift(weights, boards, leader, rival) for rival in rivals}
    found = {rival: shift for rival, shift in shifts.items() if shift is not None}
    least = min((shift.moved for shift in found.values()), default=0.0)
    may_win = np.isin(np.arange(boards.shape[1]), [leader, *rivals])
    for rival, shift in found.items():
        beyond = least_shift(weights, boards, leader, rival, ahead=_BEYOND)
        if shift.moved > least + TOLERANCE or beyond is None:
            continue
        first = first_among(whole_places(mean_ranks(beyond.weights, boards), ranking), may_win)
        if len(first) == 1:
            return shift, first[0]
    return None
