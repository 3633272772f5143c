"""What a leaderboard says."""

from datetime import datetime

from pydantic import BaseModel


class ValueOut(BaseModel):
    """A metric's value with its interval and its rank in the track; `rank` is None where the team is not ranked.

    reason: why there is no value. note: what the interval does not tell, or why there is none; a value outside its
    own interval always has one.
    """

    value: float | None
    low: float | None
    high: float | None
    rank: float | None
    reason: str | None = None
    note: str | None = None


class Marks(BaseModel):
    """A team and what is to be said wherever it is named. `first`: it leads, alone or with the others that say so.

    A baseline, a team that may win no prize, or one that is disqualified never leads. Where one of several that share
    the first place is such a team, none of them does.
    """

    team: str
    baseline: bool
    eligible: bool
    disqualified: bool
    disclaimer: str | None
    first: bool = False


class Valued(Marks):
    """What a team has on a board, and since when."""

    metrics: dict[str, ValueOut]
    submitted_at: datetime
    scored_at: datetime | None


class EntryOut(Valued):
    """A team on one board. `rank` is its rank on this board."""

    rank: float | None


class OtherwiseOut(Valued):
    """What a team has on a board under another base: shown, and neither ranked nor compared. `differs`: in what."""

    differs: list[str]


class UnifiedOut(Marks):
    """A team's place over all boards. `prize` is its place among the eligible teams, `wins` what that wins.

    `missing` names the boards on which it has nothing that counts: their rank is the one the rule gives to a missing
    board, and None where nobody has anything.
    """

    placement: int | None
    prize: int | None
    wins: str | None
    overall: float | None
    board_ranks: dict[str, float | None]
    missing: list[str]


class MetricOut(BaseModel):
    """A column of a board: `better` is "higher" or "lower".

    It is None for a metric that is no longer installed: its values are shown and not ranked, and `reason` says so.
    """

    name: str
    title: str
    better: str | None
    reason: str | None = None


class BoardOut(BaseModel):
    """One board of one track. cases: of the dataset in force, 0 without one. last_scored: when its last entry was."""

    board: str
    title: str
    weight: float
    cases: int
    last_scored: datetime | None
    metrics: list[MetricOut]
    entries: list[EntryOut]
    otherwise: list[OtherwiseOut]


class TrackOut(BaseModel):
    """One track: the unified leaderboard and one per board."""

    track: str
    unified: list[UnifiedOut]
    boards: list[BoardOut]


class LeaderboardOut(BaseModel):
    """All leaderboards of a phase, as they were made at `at` and still are.

    Values of another base (dataset, way to run, metrics) never mix in: boards list them as scored `otherwise`.
    released_early: why a sealed leaderboard was opened before it was final.
    """

    challenge: str
    title: str
    phase: str
    phase_title: str
    at: datetime
    opens: datetime | None
    closes: datetime | None
    open: bool
    last_scored: datetime | None
    released_early: str | None
    version: str
    decimals: int
    prizes: list[str]
    tracks: list[TrackOut]
