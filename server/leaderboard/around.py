"""What stands around a board on its pages, and is no part of its scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from contract.phases import AmendmentOut
from server.challenges.models import Challenge
from server.leaderboard.made import MadeTrack


@dataclass(frozen=True)
class ShownAtRelease:
    """The places of each track when the leaderboard was released, and the number of that edition.

    places: of each team its name, None where it is no longer listed, and its place.
    """

    number: int
    at: datetime
    places: Mapping[str, Sequence[tuple[str | None, int | None]]]

    def moved(self, track: MadeTrack) -> int:
        """How many teams of a track stand elsewhere now."""
        now = {entry.team: entry.placement for entry in track.unified}
        then = self.places.get(track.track, ())
        named = {name for name, _ in then}
        moved = sum((None if name is None else now.get(name)) != place for name, place in then)
        return moved + sum(place is not None for name, place in now.items() if name not in named)


@dataclass(frozen=True)
class Around:
    """What pages say around the board of a phase, all but one for everybody.

    released: the phases whose seal is broken. amended: what was amended of this phase or of all, newest first. plan:
    the digest of what decides its scores and ranks. again: some of its entries are evaluated again beside the board;
    only organizers read that. shown: what it showed when it was released; None while it is not.
    """

    released: Sequence[str] = ()
    released_at: datetime | None = None
    amended: Sequence[AmendmentOut] = ()
    plan: str | None = None
    again: bool = False
    shown: ShownAtRelease | None = None


NOTHING = Around()
Surroundings = Callable[[Session, Challenge, str], Around]
"""Finds what stands around the board of a phase."""


def nothing(session: Session, challenge: Challenge, phase: str) -> Around:
    """Where no page shows it."""
    return NOTHING
