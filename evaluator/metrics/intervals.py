"""How the interval of a value is made: on the scale that suits the metric, or from the resamples.

Student's t stands wherever a normal quantile would assume that the spread is known, with as many degrees of freedom
as the influence values tell of it (`freedom`). The spread is the larger of the resamples' and the influence values'.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluator.interval_methods import Method

Values = NDArray[np.float64]
Pair = tuple[float, float]

NARROW = (
    "The resamples vary over 10 % less than the influence values say (strata of few subjects, or sites that "
    "differ), so the interval is widened to the latter."
)
WIDE = "The resamples vary over 10 % more than the influence values say; the interval follows the resamples."
_AGREEING = 0.9, 1.1
_LEAST = (
    0.1  # of 1 − a·w, so that a large acceleration moves an end far out and never round to the other side
)


@dataclass(frozen=True)
class IntervalScale:
    """A scale on which a metric's estimates are nearly normal wherever the truth lies.

    to: the value on the scale. back: its inverse. slope: the derivative of `to`. Each raises ValueError or
    ZeroDivisionError at an end of the range. lost: by how many the n − 1 of a variance from n units is too many in a
    test, where nothing but ψ tells it: 1/(n − 3) is the variance of a correlation on Fisher's scale, and errors of few
    cases look less heavy-tailed than they are. least: degrees of freedom that an interval has whatever ψ tell of them,
    or a tenth of the units if that is fewer: near the end of the range one case in the wrong place makes nearly all of
    Σψ², and on the scale such intervals are wide already.
    """

    to: Callable[[float], float]
    back: Callable[[float], float]
    slope: Callable[[float], float]
    lost: int = 0
    least: float = 0.0


@dataclass(frozen=True)
class Way:
    """How the intervals of a metric are made; no scale: from the resamples."""

    method: Method
    scale: IntervalScale | None = None

    def bounds(self, estimate: "Estimate", level: float) -> "MetricInterval":
        """The interval of a value: on the metric's scale if it has one, else from the resamples.

        Without influence values, or at an end of the scale, it is from the resamples too.
        """
        ends = None
        if self.scale is not None and estimate.influence is not None:
            ends = _on_scale(self.scale, estimate, level)
        if ends is None:
            return MetricInterval(*bca_interval(estimate, level), estimate.note, "bca")
        return MetricInterval(*ends, estimate.note, self.method)


def _expit(place: float) -> float:
    return 0.5 * (1 + math.tanh(place / 2))


def _exp(place: float) -> float:
    return math.exp(place) if place < 709 else math.inf


LOGIT = Way(
    "logit", IntervalScale(lambda v: math.log(v / (1 - v)), _expit, lambda v: 1 / (v * (1 - v)), least=4)
)
"""Of areas under curves: near 1 their spread shrinks and its own estimate with it; the logit keeps both steady."""

LOG = Way("log", IntervalScale(math.log, _exp, lambda v: 1 / v, lost=2))
"""Of means of amounts without an upper end, whose spread grows with them: a few large errors make both."""

FISHER = Way("fisher", IntervalScale(math.atanh, math.tanh, lambda v: 1 / (1 - v * v), lost=2))
"""Of correlations, whose spread hardly depends on the truth on Fisher's scale."""

BCA = Way("bca")
"""Of all else: bias-corrected and accelerated resamples (Efron, JASA 1987;82:171) follow whatever shape they have."""

GROUPS = Way("groups")
"""Of what compares groups: resampled differences are too large, so the groups' own intervals are joined."""


@dataclass(frozen=True)
class MetricInterval:
    """An interval and how it was made, or None throughout; a sentence where there is something to say."""

    low: float | None = None
    high: float | None = None
    note: str | None = None
    method: Method | None = None

    @property
    def pair(self) -> Pair | None:
        """Both bounds, or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def with_more(self, value: float, reach: float, least: float, most: float) -> "MetricInterval":
        """The interval with what else than cases moves the value, as independent of them (MOVER).

        reach: half the width of an interval for that alone. least, most: the range of the metric.
        """
        if reach == 0 or self.low is None or self.high is None:
            return self
        low, high = value - math.hypot(value - self.low, reach), value + math.hypot(self.high - value, reach)
        return replace(self, low=max(low, least), high=min(high, most))


@dataclass(frozen=True)
class Estimate:
    """A value with what is known of its spread.

    replicates: its finite values in resamples, at least one. influence: ψ of each resampling unit, None where it is
    unknown. units: how many these are. least, most: the range of the metric.
    """

    value: float
    replicates: Values
    influence: Values | None
    units: int
    least: float = -math.inf
    most: float = math.inf

    @property
    def drawn(self) -> float:
        """The standard deviation of the replicates."""
        with np.errstate(over="ignore"):  # of huge outputs
            return float(self.replicates.std())

    @property
    def estimated(self) -> float | None:
        """√Σψ², with the correction for few clusters that ψ of single cases do not have."""
        if self.influence is None:
            return None
        with np.errstate(over="ignore"):
            return float(np.sqrt((self.influence**2).sum()))

    @property
    def error(self) -> float:
        """The larger of both."""
        return max(self.drawn, self.estimated or 0.0)

    @property
    def note(self) -> str | None:
        """What is to be said where both differ by more than 10 %."""
        if self.estimated is None:
            return None
        least, most = (part * self.estimated for part in _AGREEING)
        if self.drawn < least:
            return NARROW
        return WIDE if self.drawn > most else None


def _on_scale(scale: IntervalScale, estimate: Estimate, level: float) -> Pair | None:
    try:
        centre, slope = scale.to(estimate.value), scale.slope(estimate.value)
    except (ValueError, ZeroDivisionError):
        return None
    reach = _quantile(estimate, level, scale.least) * estimate.error * slope
    ends = scale.back(centre - reach), scale.back(centre + reach)
    return ends if all(map(math.isfinite, ends)) else None


def bca_interval(estimate: Estimate, level: float) -> Pair:
    """Efron's BCa interval of the replicates, acceleration Σψ³/6(Σψ²)^1.5 (0 without ψ), bias from the replicates.

    Student's quantile stands for the normal one (expanded percentiles: Hesterberg, The American Statistician
    2015;69:371), and replicates that vary less than ψ say are stretched around the value.
    """
    from scipy.special import ndtr, ndtri

    value, drawn = estimate.value, estimate.replicates
    slack = 1e-12 * max(abs(value), 1e-300)
    below = float((drawn < value - slack).mean() + (np.abs(drawn - value) <= slack).mean() / 2)
    edge = 1 / (len(drawn) + 1)
    bias = float(ndtri(min(max(below, edge), 1 - edge)))
    reach, skew = _quantile(estimate, level), _acceleration(estimate.influence)
    ends = [
        float(ndtr(bias + moved / max(1 - skew * moved, _LEAST))) for moved in (bias - reach, bias + reach)
    ]
    stretched = estimate.error / estimate.drawn if 0 < estimate.drawn < estimate.error < math.inf else 1.0
    low, high = value + stretched * (np.quantile(drawn, ends) - value)
    return max(float(low), estimate.least), min(float(high), estimate.most)


def freedom(influence: Values) -> Values:
    """Degrees of freedom of Σψ² as an estimate of a variance, from 1 to n − 1, shape (…); influence: (…, n).

    2n/(κ − (n−3)/(n−1)) with the kurtosis κ (O'Neill, The American Statistician 2014;68:282): n − 1 where ψ is
    normal, fewer where a few cases, such as those of a rare class, make most of the variance. n − 1 where ψ is 0.
    """
    units = influence.shape[-1]
    most = max(units - 1.0, 1.0)
    if units < 3:
        return np.full(influence.shape[:-1], most)
    largest = np.abs(influence).max(axis=-1, keepdims=True)
    squares = (influence / np.where(largest > 0, largest, 1)) ** 2
    total = squares.sum(axis=-1)
    kurtosis = units * (squares**2).sum(axis=-1) / np.where(total > 0, total, 1) ** 2
    found: Values = 2 * units / np.maximum(kurtosis - (units - 3) / (units - 1), 1e-9)
    return np.clip(found, 1.0, most)


def _quantile(estimate: Estimate, level: float, least: float = 0.0) -> float:
    from scipy.special import stdtrit

    known = estimate.influence
    degrees = max(estimate.units - 1.0, 1.0) if known is None else float(freedom(known))
    return float(stdtrit(max(degrees, min(least, estimate.units / 10)), (1 + level) / 2))


def _acceleration(influence: Values | None) -> float:
    if influence is None or not influence.any():
        return 0.0
    scaled = influence / np.abs(influence).max()
    return float((scaled**3).sum() / (6 * (scaled**2).sum() ** 1.5))
