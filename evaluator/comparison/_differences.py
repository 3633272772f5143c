"""Differences of all pairs of teams: tests and simultaneous intervals from influence vectors, and wins case by case.

All arrays over pairs have the shape (teams, teams), the row's team less the column's, NaN on the diagonal and for
teams without the metric. An interval holds for all pairs at once: each has an equal part of what may fail
(Bonferroni), so that one without 0 belongs to a pair that Holm's correction tells apart, too.
"""

import math
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from evaluator.metrics.intervals import IntervalScale, freedom
from evaluator.ranking import TOLERANCE

Values = npt.NDArray[np.float64]
Distribution = Literal["normal", "delong", "t", "estimated"]

_FEW = 10.0  # degrees of freedom below which a few cases, such as a rare class, make most of a variance


@dataclass(frozen=True)
class PairBounds:
    """Both ends of intervals of all pairs; NaN where there is none."""

    low: Values
    high: Values


@dataclass(frozen=True)
class Differences:
    """Differences and their standard errors, on the scale on which they are tested.

    degrees: of freedom of Student's t. tested: those of tests, (teams, teams), infinite for a normal curve. scaled:
    whether the scale is another one than the metric's own.
    """

    values: Values
    errors: Values
    degrees: Values
    tested: Values
    units: int
    scaled: bool

    @classmethod
    def of(
        cls,
        values: Values,
        influence: Values,
        *,
        distribution: Distribution,
        scale: IntervalScale | None = None,
    ) -> Self:
        """The differences of teams' values, for var(θa − θb) = Σ (ψa − ψb)²; arguments as for `influence_test`."""
        scored = np.isfinite(values) & np.isfinite(influence).all(axis=1)
        moved = None if scale is None else _on_scale(values, influence, scale)
        places, influence = (values, influence) if moved is None else moved
        lost = 0 if scale is None or moved is None else scale.lost
        teams, units = influence.shape
        errors, degrees = np.full((teams, teams), np.nan), np.full((teams, teams), units - 1.0)
        for first in range(teams):
            between = influence - influence[first]
            with np.errstate(over="ignore"):  # of huge outputs: infinitely uncertain, so p is 1
                errors[first] = np.sqrt((between**2).sum(axis=1))
            if distribution != "t":
                degrees[first] = np.maximum(freedom(between) - lost, 1)
        with np.errstate(over="ignore"):
            differences = only_between(places[:, None] - places, scored)
        tested = degrees
        if distribution == "normal":
            tested = np.full((teams, teams), np.inf)
        elif distribution == "delong":
            tested = np.where(degrees < _FEW, degrees, units - 1.0)
        return cls(differences, errors, degrees, tested, units, moved is not None)

    def p(self) -> Values:
        """Two-sided p-values; where one always wins by the same margin, that of its sign flips, 2 · 2^−units."""
        from scipy.special import stdtr

        size = np.abs(self.values)
        fixed = self.errors <= 1e-12 * size
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            score = np.where(fixed, 0, size / self.errors)
        tail = stdtr(self.tested, -score)
        p = np.where(fixed & (size > 0), 2.0 * 0.5 ** min(self.units, 1000), 2 * tail)
        return np.where(np.isnan(size), np.nan, np.where(size == 0, 1.0, p))

    def bounds(self, level: float) -> PairBounds:
        """Intervals on the scale of the differences that hold for all pairs at once with probability `level`.

        By Student's t with the degrees of freedom that the vectors tell of, for more are too many where unequal teams
        of a few cases differ: an interval is never shorter than its test. None where nothing varies, or the error is
        too large for a number.
        """
        from scipy.special import stdtrit

        pairs = np.isfinite(self.values).sum() // 2
        with np.errstate(over="ignore"):
            reach = stdtrit(self.degrees, 1 - (1 - level) / (2 * max(pairs, 1))) * self.errors
        known = (self.errors > 1e-12 * np.abs(self.values)) & np.isfinite(reach)
        reach = np.where(known, reach, np.nan)
        return PairBounds(self.values - reach, self.values + reach)


def influence_test(
    values: Values, influence: Values, *, distribution: Distribution, scale: IntervalScale | None = None
) -> Values:
    """Tests of paired differences from influence vectors: var(θa − θb) = Σ (ψa − ψb)².

    With the influence of AUROC and "normal" this is DeLong's test for correlated curves (DeLong, DeLong and
    Clarke-Pearson 1988), and "delong" is the same with Student's t of units − 1 degrees of freedom, for of four sites
    the normal curve finds equal teams different in 14 of 100; with that of a mean and "t" it is the paired t test.
    Where the variance is 0 but the values differ (one always wins by the same margin) no curve applies; p is
    then that of the sign-flip test of such data, 2 · 2^−units.

    Args:
        values: (teams,) the metric, NaN where a team has none.
        influence: (teams, units) in the dataset's order.
        distribution: of the standardised difference; "estimated" is t with the degrees of freedom that the influence
            values tell of (`evaluator.metrics.intervals.freedom`), less what the scale says is lost.
        scale: on which differences are taken, unless a team is at its end, as with a correlation of 1.
    """
    return Differences.of(values, influence, distribution=distribution, scale=scale).p()


def _on_scale(values: Values, influence: Values, scale: IntervalScale) -> tuple[Values, Values] | None:
    """Both on the scale; None where a team is at its end."""
    known = np.isfinite(values)
    try:
        places = [scale.to(value) for value in values[known].tolist()]
        slopes = [scale.slope(value) for value in values[known].tolist()]
    except (ValueError, ZeroDivisionError):
        return None
    moved, slope = np.full(len(values), np.nan), np.full(len(values), np.nan)
    moved[known], slope[known] = places, slopes
    units = influence.shape[1]
    few = math.sqrt((units - 1) / max(units - 1 - scale.lost, 1))
    return moved, influence * slope[:, None] * few


@dataclass(frozen=True)
class Superiority:
    """How often the row's team is better in a case, for all pairs: P(better) + P(tie)/2."""

    values: Values
    bounds: PairBounds | None


def superiority(cases: Values, *, higher_is_better: bool, level: float, independent: bool) -> Superiority:
    """The probability of superiority over paired cases.

    The bounds are Clopper and Pearson's, for all pairs at once; a tie is half a case of each.

    Args:
        cases: (teams, cases), NaN where a case is undefined: it does not count for its pairs.
        higher_is_better: the direction of the values.
        level: of all bounds together, such as 0.95.
        independent: whether each case is its own subject; else there are no bounds, for cases of one subject are alike.
    """
    from scipy.special import betaincinv

    better = cases if higher_is_better else -cases
    teams, known = len(cases), np.isfinite(cases)
    wins, counts = np.full((teams, teams), np.nan), known.astype(np.float64) @ known.T
    for first in range(teams):
        rest = slice(first + 1, teams)
        with np.errstate(over="ignore"):  # huge values still have an order
            lead = better[first] - better[rest]
        won, lost = (lead > TOLERANCE).sum(axis=1), (lead < -TOLERANCE).sum(axis=1)
        both = counts[first, rest]
        wins[first, rest], wins[rest, first] = (both + won - lost) / 2, (both + lost - won) / 2
    scored = np.asarray(known.any(axis=1), dtype=np.bool_)
    wins = only_between(np.where(counts > 0, wins, np.nan), scored)
    counts = np.maximum(counts, 1)
    if not independent:
        return Superiority(wins / counts, None)
    part = (1 - level) / max(np.isfinite(wins).sum(), 1)  # two ends of half as many pairs
    with np.errstate(invalid="ignore"):
        low = np.where(wins > 0, betaincinv(np.maximum(wins, 0.5), counts - wins + 1, part), 0)
        high = np.where(wins < counts, betaincinv(wins + 1, np.maximum(counts - wins, 0.5), 1 - part), 1)
    return Superiority(
        wins / counts, PairBounds(*(np.where(np.isnan(wins), np.nan, end) for end in (low, high)))
    )


def only_between(pairs: Values, scored: npt.NDArray[np.bool_]) -> Values:
    """The pairs of teams that have the metric; NaN for others and on the diagonal."""
    kept = np.where(scored[:, None] & scored[None, :], pairs, np.nan)
    np.fill_diagonal(kept, np.nan)
    return kept
