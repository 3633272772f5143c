"""The published form of what is said of two teams."""

from pydantic import Field

from evaluator.frozen import Model
from evaluator.interval_methods import Method
from evaluator.ranking import TOLERANCE


def _less(whole: float, part: float | None) -> float | None:
    return None if part is None else whole - part


class PairTest(Model):
    """Two teams in one metric.

    difference: value of the first minus value of the second. effect: the same on the scale of the metric's test
    (`MetricTests.scale`); low, high: where that may lie, for all pairs of the metric at once with probability `level`.
    None where nothing varies.

    superiority: the probability that the first is better in a case, a tie counting half; its bounds are for all pairs
    of the metric at once, and None where several cases are of one subject. Metrics of whole datasets have none: they
    have one value, and how often it is larger in resamples would be no such probability.

    p: before any correction. adjusted: after Holm's over the pairs of the metric, for who looks at that metric alone.
    adjusted_in_track: after Holm's over the pairs of all metrics of the track, for who says that one is better.
    """

    teams: tuple[str, str]
    difference: float
    effect: float
    low: float | None
    high: float | None
    superiority: float | None
    superiority_low: float | None
    superiority_high: float | None
    p: float
    adjusted: float
    adjusted_in_track: float

    def apart(self, level: float) -> bool:
        """Whether one of the two is better, as claimed among all pairs and metrics of the track."""
        return self.adjusted_in_track <= 1 - level

    def turned(self) -> "PairTest":
        """The same pair the other way round."""
        return PairTest(
            teams=self.teams[::-1],
            difference=-self.difference,
            effect=-self.effect,
            low=_less(0, self.high),
            high=_less(0, self.low),
            superiority=_less(1, self.superiority),
            superiority_low=_less(1, self.superiority_high),
            superiority_high=_less(1, self.superiority_low),
            p=self.p,
            adjusted=self.adjusted,
            adjusted_in_track=self.adjusted_in_track,
        )


class MetricTests(Model):
    """Tests between all teams in one metric. `test` None: there is none, and `reason` says why.

    units: what was resampled or flipped, cases or subjects. scale: of effects and their bounds, None for the metric's
    own; "fisher": atanh, "log": a difference is the logarithm of a ratio, "logit": that of an odds ratio. groups: best
    value first; a team is in the group of a better one if it is not significantly different from the best of that group
    at 1 − level after Holm's correction for all pairs of all metrics of the track. Other pairs of a group may be, and
    pairs of two groups need not.
    """

    test: str | None
    reason: str | None = None
    units: int | None = None
    scale: Method | None = None
    groups: dict[str, int] = Field(default={})
    pairs: tuple[PairTest, ...] = ()


class RankLead(Model):
    """By how many mean ranks over all boards the first of two teams is ahead of the second, 0 if they tie.

    low, high: where it may lie, for all pairs at once with probability `level`; from 0 on where the sets of places
    call the first surely ahead, both 0 where two tie in every draw, and never more than mean ranks can differ by. None
    where the reports do not say, or one metric alone decides: there the sets are of the place by its value, and its
    tests hold the differences.
    """

    teams: tuple[str, str]
    lead: float
    low: float | None
    high: float | None

    @property
    def tie(self) -> bool:
        """Whether the two have the same mean rank."""
        return abs(self.lead) <= TOLERANCE
