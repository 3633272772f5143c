"""What is answered of the editions of a released leaderboard: its places then, and what they are now."""

from datetime import datetime
from enum import StrEnum

from contract.answers import Answer
from contract.leaderboard import MetricOut


class EditionCause(StrEnum):
    """Why an edition was kept."""

    RELEASED = "released"
    """the leaderboard was released"""
    CHANGED = "changed"
    """an act of the organizers changed what the released leaderboard shows"""
    FOUND = "found"
    """the leaderboard had been released before editions were kept"""


class EditionOut(Answer):
    """A released leaderboard as it was shown from `at` on.

    title: what it is, in words. what: what was done, as it stands among the amendments. digest: of its places, ranks
    and values. version: the digest of the challenge file that they follow from.
    """

    number: int
    at: datetime
    cause: EditionCause
    title: str
    what: list[str]
    digest: str
    version: str


class BoardSinceOut(Answer):
    """What a team has on one board then and now; None where it had, or has, nothing there.

    values: by metric, rounded as the board shows them. changed: whether its own values are others.
    """

    board: str
    rank_then: float | None
    rank_now: float | None
    values_then: dict[str, float | None]
    values_now: dict[str, float | None]
    changed: bool


class TeamSinceOut(Answer):
    """A team then and now. team: as it is called now; None for one that is no longer listed, of whom no value is told.

    overall: its mean rank over all boards. low_then, high_then: the places that could not be excluded, None where they
    were not known at the time. why: what moved it, in words; None where it did not move.
    """

    team: str | None
    place_then: int | None
    place_now: int | None
    overall_then: float | None
    overall_now: float | None
    low_then: int | None
    high_then: int | None
    why: str | None
    boards: list[BoardSinceOut]


class SinceBoardOut(Answer):
    """A board that teams have something on, then or now."""

    board: str
    title: str
    metrics: list[MetricOut]


class EditionDifferencesOut(Answer):
    """The places of a track in an edition, and as they are now.

    later: the editions that came after it, the oldest first, at most the last 200. moved: how many teams stand
    elsewhere now. total: how many teams there are; teams has those from `offset` on, by their place now.
    """

    challenge: str
    phase: str
    track: str
    at: datetime
    edition: EditionOut
    later: list[EditionOut]
    moved: int
    total: int
    offset: int
    boards: list[SinceBoardOut]
    teams: list[TeamSinceOut]
