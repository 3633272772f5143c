"""Who wins what, and who leads: prizes go down the places of the eligible teams."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.ranking._ties import Values

Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Award:
    """A team's place among the eligible teams, and what that wins; None twice for a team that may win nothing."""

    eligible_placement: int | None = None
    prize: str | None = None


def awards_of(
    prizes: Sequence[str], places: npt.NDArray[np.intp], eligible: Marks, winners: Marks | None = None
) -> list[Award]:
    """The award of each team, in the order of `places`.

    An ineligible team is skipped: the next eligible one wins what its place would have won. Teams that tie
    share the prizes of the places they cover, and the text says so; so do the `winners`, as if they tied for the first.
    """
    shared = places if winners is None else np.where(winners, 0, places)
    awards = [Award()] * len(places)
    ordered, ordered_shared = np.sort(places[eligible]), np.sort(shared[eligible])
    for number in np.flatnonzero(eligible):
        placement = 1 + int(np.searchsorted(ordered, places[number]))
        awards[number] = Award(placement, _prize(prizes, ordered_shared, shared[number]))
    return awards


def _prize(prizes: Sequence[str], places: npt.NDArray[np.intp], place: int) -> str | None:
    """What a place wins among `places`, which are in order."""
    better = int(np.searchsorted(places, place))
    if better >= len(prizes):
        return None
    sharing = int(np.searchsorted(places, place, side="right")) - better
    won = prizes[better : better + sharing]
    if not won:
        return None
    return won[0] if sharing == 1 else f"{' + '.join(won)}, shared by {sharing} teams"


def leaders_of(ranks: Values, eligible: Marks) -> Marks:
    """Whether each team is one of the first: those with the best rank, if all of them may win.

    A tie is shown whole or not at all: where one of several that share the best rank may win no prize, nobody leads.

    Args:
        ranks: (teams,) lower is better, NaN for a team without a rank.
        eligible: (teams,) who may win.
    """
    if not np.isfinite(ranks).any():
        return np.zeros(len(ranks), dtype=np.bool_)
    first: Marks = ranks == np.nanmin(ranks)
    return first & bool(eligible[first].all())
