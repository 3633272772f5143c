"""Who wins what: prizes go down the places of the eligible teams."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def prizes_of(
    prizes: Sequence[str], places: npt.NDArray[np.intp], eligible: npt.NDArray[np.bool_]
) -> list[str | None]:
    """The prize of each team, None where it wins none; team order as `places`.

    An ineligible team is skipped: the next eligible one wins what its place would have won. Teams that tie
    share the prizes of the places they cover, and the text says so.
    """
    found: list[str | None] = [None] * len(places)
    for number in np.flatnonzero(eligible):
        better = int((places[eligible] < places[number]).sum())
        sharing = int((places[eligible] == places[number]).sum())
        won = prizes[better : better + sharing]
        if won:
            found[number] = won[0] if sharing == 1 else f"{' + '.join(won)}, shared by {sharing} teams"
    return found
