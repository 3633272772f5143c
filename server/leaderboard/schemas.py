"""What a leaderboard says."""

from datetime import datetime

from pydantic import BaseModel


class ValueOut(BaseModel):
    """A metric's value with its interval and its rank in the track; `rank` is None for baselines."""

    value: float | None
    low: float | None
    high: float | None
    rank: float | None


class EntryOut(BaseModel):
    """A team on one board. `rank` is its rank on this board."""

    team: str
    baseline: bool
    eligible: bool
    disclaimer: str | None
    rank: float | None
    metrics: dict[str, ValueOut]
    submitted_at: datetime | None


class UnifiedOut(BaseModel):
    """A team's place over all boards. `prize` is its place among the eligible teams.

    `missing` names the boards without a scored submission: their rank is the one the rule gives to a missing board.
    """

    team: str
    baseline: bool
    eligible: bool
    disclaimer: str | None
    placement: int | None
    prize: int | None
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
    """One board of one track."""

    board: str
    title: str
    weight: float
    metrics: list[MetricOut]
    entries: list[EntryOut]


class TrackOut(BaseModel):
    """One track: the unified leaderboard and one per board."""

    track: str
    unified: list[UnifiedOut]
    boards: list[BoardOut]


class LeaderboardOut(BaseModel):
    """All leaderboards of a phase.

    Values of spec versions that run, score or rank otherwise never mix in; `other_versions` counts them.
    """

    challenge: str
    title: str
    phase: str
    phase_title: str
    version: str
    other_versions: int
    decimals: int
    tracks: list[TrackOut]
