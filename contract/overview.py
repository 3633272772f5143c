"""A challenge on one screen, for its organizers: what needs them first, and how the season goes."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from contract.answers import Answer, Id, OrNewer


class Urgency(StrEnum):
    """How soon somebody should look."""

    NOW = "now"  # something fails, or somebody waits for it
    SOON = "soon"  # within days
    KNOW = "know"  # worth knowing


class AttentionOut(Answer):
    """Something that needs an organizer. code: short and stable; todo: what to do; page: where it is mended."""

    code: str
    urgency: Annotated[Urgency | str, OrNewer()]
    sentence: str
    todo: str
    page: str


class DayOut(Answer):
    """The evaluations that were submitted on a day, in UTC, by what became of them so far."""

    day: date
    scored: int
    rejected: int
    errored: int
    cancelled: int
    under_way: int


class TriedOut(Answer):
    """A team that has submitted and was never scored. reason: the commonest code of how its evaluations ended."""

    id: Id
    team: str
    evaluations: int
    rejected: int
    errored: int
    under_way: int
    reason: str | None
    last_at: datetime


class AttemptsUse(Answer):
    """Valid attempts on a phase, over the teams that have submitted there.

    track, task: null where all of them share one number. valid: of each team, without grants. teams: that have
    submitted; none_left: of these, those with no attempt left. left: of all of them together.
    """

    phase: str
    track: str | None
    task: str | None
    valid: int
    teams: int
    spent: int
    held: int
    left: int
    none_left: int


class PhaseLine(Answer):
    """A phase on the time line: `state` in a word (no date, opens, open, closed, released), and what comes next.

    cases, evaluations: without a verdict, and not ended. empties_at: when nothing of it will wait, null where nothing
    does or nobody knows; in_time: whether that is before it closes, null where that cannot be said. slot_seconds: so
    long one slot would take for what waits.
    """

    name: str
    title: str
    state: str
    next: str | None
    next_at: datetime | None
    opens: datetime | None
    freezes: datetime | None
    closes: datetime | None
    hidden: bool
    board: str
    released: bool
    cases: int
    evaluations: int
    slot_seconds: float | None
    empties_at: datetime | None
    in_time: bool | None


class ChallengeOverview(Answer):
    """All of it. attention: the weightiest first, empty where nothing needs anybody.

    days: without gaps, the oldest first. slots: that take work now.
    """

    challenge: str
    title: str
    at: datetime
    attention: list[AttentionOut]
    teams: int
    teams_waiting: int
    submissions: int
    scored: int
    under_way: int
    questions_open: int
    slots: int
    phases: list[PhaseLine]
    days: list[DayOut]
    never_scored: list[TriedOut]
    attempts: list[AttemptsUse]
