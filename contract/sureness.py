"""What stands behind a leaderboard: how sure places are, entries beside each other, and what single cases gave."""

from datetime import datetime

from contract.answers import Answer
from contract.certainty import CertaintyOut
from contract.leaderboard import Marks, MetricOut, PlacesOut, ValueOut


class SurePlaceOut(Answer):
    """A team's place, and which cannot be excluded.

    group: going down the places, a team joins the group of the one before it unless the best of that group is surely
    ahead; None, like places, where the scores do not say how far they move.
    """

    team: str
    place: int
    places: PlacesOut | None
    group: int | None


class GapOut(Answer):
    """By how many mean ranks over all boards a team is ahead of another one; 0 where they tie.

    low, high: where that may lie, for all pairs at once; None where the scores do not say, one metric alone decides, or
    figures of tests are not shown.
    """

    ahead: str
    behind: str
    ranks: float
    low: float | None
    high: float | None
    tie: bool


class PairTestOut(Answer):
    """Two teams in one metric.

    better: which of them is, as claimed among all pairs and metrics of the track; None where they are not told apart,
    which does not prove them equal. difference: the value of `team` less that of `other`. effect: the same on the scale
    of the test, with low and high for all pairs of the metric at once. superiority: in how much of the cases `team` is
    better, half of ties counted; None where the metric has no single cases. p: before any correction; adjusted: for who
    looks at this metric alone; adjusted_in_track: for the whole track. Of a hidden phase these figures, but not which
    team is better, are None until the release.
    """

    team: str
    other: str
    better: str | None
    difference: float
    effect: float | None
    low: float | None
    high: float | None
    superiority: float | None
    superiority_low: float | None
    superiority_high: float | None
    p: float | None
    adjusted: float | None
    adjusted_in_track: float | None


class MetricTestsOut(Answer):
    """The tests between teams in one metric of a board.

    better: "higher" or "lower". test: None where there is none, and `reason` says why. units: what was resampled or
    flipped. scale: of effects, None for the metric's own. groups: teams that cannot be told apart, the best first.
    """

    metric: str
    title: str
    better: str | None
    test: str | None
    reason: str | None
    units: int | None
    scale: str | None
    groups: list[list[str]]
    pairs: list[PairTestOut]


class BoardSurenessOut(Answer):
    """How sure the places on one board are. groups: teams that cannot be told apart, the best first."""

    board: str
    title: str
    weight: float
    places: list[SurePlaceOut]
    groups: list[list[str]]
    metrics: list[MetricTestsOut]


class WithoutBoardOut(Answer):
    """The places if a board had no weight; tau: how alike the order is, 1 is the same and −1 the reverse."""

    board: str
    title: str
    tau: float | None
    places: dict[str, int]


class OtherRuleOut(Answer):
    """The places if the rule differed in one point: `change` as the file has it, `sentence` for people."""

    change: str
    sentence: str
    tau: float | None
    places: dict[str, int]


class ReorderedOut(Answer):
    """Two teams whose order hangs on a third one."""

    teams: list[str]
    sentence: str


class WithoutTeamOut(Answer):
    """Which pairs would change order if a team had never taken part."""

    team: str
    reordered: list[ReorderedOut]


class SurenessOut(Answer):
    """How sure the places of one track are, and what would change them.

    pending: it is being worked out; then what is not there yet is empty. certainty: as on the board. groups: teams over
    all boards that cannot be told apart, the best first. pairs: which are listed; None where all are. without_teams:
    those without whom the order of others would change; empty where there are more than 50 teams. hidden: why figures
    of tests are not shown; None where they are.
    """

    challenge: str
    phase: str
    track: str
    at: datetime
    frozen: bool
    decimals: int
    pending: bool
    certainty: CertaintyOut | None
    overall: list[SurePlaceOut]
    groups: list[list[str]]
    gaps: list[GapOut]
    boards: list[BoardSurenessOut]
    pairs: str | None
    without_boards: list[WithoutBoardOut]
    without_teams: list[WithoutTeamOut]
    rules: list[OtherRuleOut]
    notes: list[str]
    hidden: str | None


class GroupValueOut(Answer):
    """A value within a group of patients, with its interval."""

    value: float | None
    low: float | None
    high: float | None


class GroupOut(Answer):
    """One group of a variable, such as a site: its test cases, how many subjects they are of, and values by metric.

    enough: whether the challenge deems so many subjects enough to say something. suppressed: it is so small that its
    numbers would tell of single cases, or would tell those of such a group; then size and subjects are None and values
    is empty.
    """

    group: str
    size: int | None
    subjects: int | None
    enough: bool
    suppressed: bool
    values: dict[str, GroupValueOut]


class VariableOut(Answer):
    """The groups of one variable."""

    variable: str
    groups: list[GroupOut]


class ComparedOut(Marks):
    """An entry that is compared. groups: None where they are not shown."""

    rank: float | None
    metrics: dict[str, ValueOut]
    groups: list[VariableOut] | None


class ComparedMetricOut(Answer):
    """A metric of the entries that are compared.

    test, reason, units and scale: as of `MetricTestsOut`. pairs: those of the entries that are listed; `untold` says
    why others are not. cases: the values of each case, a row per case with the entries in their order; rows go by their
    values, the first entry's first, and so name no case. None where single cases are not shown or the metric has none.
    """

    metric: str
    title: str
    better: str | None
    test: str | None
    reason: str | None
    units: int | None
    scale: str | None
    pairs: list[PairTestOut]
    untold: str | None
    cases: list[list[float | None]] | None


class ComparisonOut(Answer):
    """Two to five entries of one board beside each other. hidden: why single cases and groups are not shown.

    untested: why figures of tests are not shown, which in a phase of public cases they always are.
    """

    challenge: str
    phase: str
    track: str
    board: str
    title: str
    at: datetime
    decimals: int
    pending: bool
    entries: list[ComparedOut]
    metrics: list[ComparedMetricOut]
    hidden: str | None
    untested: str | None


class QuantilesOut(Answer):
    """Values below which 5, 25, 50, 75 and 95 of 100 lie."""

    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


class CaseSpreadOut(Answer):
    """How the values of single cases spread, of a metric that has them.

    cases: those with a value; undefined: those without. worst_tenth: the mean of the worst tenth of the cases.
    values: all of them from the lowest to the highest, so they name no case.
    """

    cases: int
    undefined: int
    quantiles: QuantilesOut
    worst_tenth: float
    values: list[float]


class DistributedOut(Marks):
    """An entry of a board with what single cases gave.

    spreads: by metric; None where single cases are not shown. seconds: how long the container ran for a case.
    """

    rank: float | None
    metrics: dict[str, ValueOut]
    spreads: dict[str, CaseSpreadOut] | None
    groups: list[VariableOut] | None
    seconds: QuantilesOut | None


class DistributionOut(Answer):
    """Entries of one board from `offset` on, of `total`, in the board's order. hidden: why cases are not shown."""

    challenge: str
    phase: str
    track: str
    board: str
    title: str
    cases: int
    at: datetime
    decimals: int
    metrics: list[MetricOut]
    total: int
    offset: int
    entries: list[DistributedOut]
    hidden: str | None
