"""The published form of a calibration."""

from typing import Literal

from evaluator.frozen import Model
from evaluator.interval_methods import Method

Verdict = Literal["kept", "unclear", "few", "other", "short"]
"""Whether a promise is kept: "unclear" where more datasets would tell, "few" where none would, "other" where
something else was published."""

Promise = Literal["all teams at once", "one team alone", "winner set", "range of resamples"]
"""Which set of places: all teams' together, the mean over teams of their own, the truly first among the winners, and
what the resamples give, which is no confidence set."""

Distance = Literal["as observed", "nearly tied"]
"""How far apart teams truly are: as their values, or as what chance does not explain of these."""

ALLOWED = 0.02
"""How far below its level a coverage may lie: 0.93 of 0.95."""


class Promised(Model):
    """What was promised, and how often it held. error: the standard error of `covered`, of the simulation alone.

    doubts: why so few independent cases decide that the simulation is too kind to tell. differs: how published
    intervals differ from those that are simulated.
    """

    level: float | None
    covered: float
    error: float
    doubts: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Of a promise without a level "kept"."""
        if self.level is None:
            return "kept"
        if self.covered + 2 * self.error < self.level - ALLOWED:
            return "short"
        if self.differs or self.doubts:
            return "other" if self.differs else "few"
        return "kept" if self.covered >= self.level - ALLOWED else "unclear"


class IntervalCoverage(Promised):
    """The interval of one metric of one report.

    subjects: how many the simulated datasets have. way: how the intervals were made. truth: of the world. datasets: of
    these `without` had no interval, and are not part of `covered`. world: what it is, and what was taken for granted.
    """

    track: str
    team: str
    board: str
    metric: str
    subjects: int
    way: Method
    value: float
    truth: float
    datasets: int
    without: int
    world: tuple[str, ...]


class PlacesCoverage(Promised):
    """The sets of places of one board; `board` None is over all boards.

    teams: how many are compared. seasons: simulated. lowest: of "one team alone", the lowest of any team, which by
    chance lies lower than what it estimates.
    """

    track: str
    board: str | None
    promise: Promise
    distance: Distance
    teams: int
    seasons: int
    lowest: float | None = None


class Unchecked(Model):
    """What could not be simulated, and why; without a metric it is the places. teams: of which it holds."""

    track: str
    board: str | None
    metric: str | None
    teams: tuple[str, ...]
    reason: str


class CalibrationFile(Model):
    """What `calibrate --json` writes.

    rule: the digest of the ranking rule. seed and datasets: with which the same comes out again.
    """

    rule: str
    seed: int
    datasets: int
    intervals: tuple[IntervalCoverage, ...]
    places: tuple[PlacesCoverage, ...]
    unchecked: tuple[Unchecked, ...]
    notes: tuple[str, ...]
