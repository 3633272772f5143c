"""What stands around a board on its pages, and is no part of its scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from contract.phases import AmendmentOut
from server.challenges.models import Challenge


@dataclass(frozen=True)
class Around:
    """What pages say around the board of a phase, all but one for everybody.

    released: the phases whose seal is broken. amended: what was amended of this phase or of all, newest first. plan:
    the digest of what decides its scores and ranks. again: some of its entries are evaluated again beside the board;
    only organizers read that.
    """

    released: Sequence[str] = ()
    released_at: datetime | None = None
    amended: Sequence[AmendmentOut] = ()
    plan: str | None = None
    again: bool = False


NOTHING = Around()
Surroundings = Callable[[Session, Challenge, str], Around]
"""Finds what stands around the board of a phase."""


def nothing(session: Session, challenge: Challenge, phase: str) -> Around:
    """Where no page shows it."""
    return NOTHING
