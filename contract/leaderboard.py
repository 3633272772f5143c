"""What a leaderboard says."""

from datetime import datetime
from typing import Annotated

from pydantic.json_schema import SkipJsonSchema

from contract.answers import Answer, Older


class ValueOut(Answer):
    """A metric's value with its interval and its rank in the track; `rank` is None where the team is not ranked.

    reason: why there is no value. note: what the interval does not tell, or why there is none; a value outside its
    own interval always has one.
    """

    value: float | None
    low: float | None
    high: float | None
    rank: float | None
    reason: Annotated[str | None, Older(None)]
    note: Annotated[str | None, Older(None)]


class Marks(Answer):
    """A team and what is to be said wherever it is named. `first`: it leads, alone or with the others that say so.

    A baseline, a team that may win no prize, or one that is disqualified never leads. Where one of several that share
    the first place is such a team, none of them does.
    """

    team: str
    baseline: bool
    eligible: bool
    disqualified: Annotated[bool, Older(False)]
    disclaimer: str | None
    first: Annotated[bool, Older(False)]


class Valued(Marks):
    """What a team has on a board, and since when."""

    metrics: dict[str, ValueOut]
    submitted_at: datetime
    scored_at: Annotated[datetime | None, Older(None)]


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
    wins: Annotated[str | None, Older(None)]
    overall: float | None
    board_ranks: dict[str, float | None]
    missing: Annotated[list[str], Older([])]


class MetricOut(Answer):
    """A column of a board: `better` is "higher" or "lower".

    It is None for a metric that is no longer installed: its values are shown and not ranked, and `reason` says so.
    """

    name: str
    title: str
    better: str | None
    reason: Annotated[str | None, Older(None)]


class BoardOut(Answer):
    """One board of one track. cases: of the dataset in force, 0 without one. last_scored: when its last entry was."""

    board: str
    title: str
    weight: float
    cases: Annotated[int | SkipJsonSchema[None], Older(None)]
    last_scored: Annotated[datetime | None, Older(None)]
    metrics: list[MetricOut]
    entries: list[EntryOut]
    otherwise: Annotated[list[OtherwiseOut], Older([])]


class TrackOut(Answer):
    """One track: the unified leaderboard and one per board."""

    track: str
    unified: list[UnifiedOut]
    boards: list[BoardOut]


class LeaderboardOut(Answer):
    """All leaderboards of a phase, as they were made at `at` and still are.

    Values of another base (dataset, way to run, metrics) never mix in: boards list them as scored `otherwise`.
    released_early: why a sealed leaderboard was opened before it was final.
    """

    challenge: str
    title: str
    phase: str
    phase_title: str
    at: datetime
    opens: Annotated[datetime | None, Older(None)]
    closes: Annotated[datetime | None, Older(None)]
    open: bool
    last_scored: Annotated[datetime | None, Older(None)]
    released_early: Annotated[str | None, Older(None)]
    version: str
    decimals: int
    prizes: Annotated[list[str], Older([])]
    tracks: list[TrackOut]
