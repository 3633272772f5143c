"""Two ways to do one thing, measured in turn."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Action = Callable[[], object]


@dataclass(frozen=True)
class Side:
    """One way to do the work: what it is, and the seconds of each repetition."""

    label: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median seconds of a repetition."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Comparison:
    """The same work done by us and by the alternative; `megabytes` of it per repetition, where that says more.

    least: the ratio that is promised; None where the figure is only shown.
    """

    name: str
    ours: Side
    other: Side
    megabytes: float | None = None
    least: float | None = None

    @property
    def ratio(self) -> float:
        """Speed of ours where the alternative's is 1: above 1 is faster, below 1 slower."""
        return self.other.median / self.ours.median

    @property
    def spread(self) -> tuple[float, float] | None:
        """Quartiles of the ratio over the pairs that ran one after the other; None where they did not run in pairs."""
        if len(self.ours.seconds) != len(self.other.seconds) or len(self.ours.seconds) < 2:
            return None
        pairs = zip(self.ours.seconds, self.other.seconds, strict=True)
        low, _, high = statistics.quantiles(other / ours for ours, other in pairs)
        return low, high

    @property
    def holds(self) -> bool:
        """Whether the ratio is at least what is promised; always where nothing is."""
        return self.least is None or self.ratio >= self.least

    def shown(self, side: Side) -> str:
        """A side's median for people."""
        if self.megabytes is not None:
            return f"{self.megabytes / side.median:,.0f} MB/s"
        if side.median < 0.1:
            return f"{side.median * 1e3:.3g} ms"
        return f"{side.median:.3g} s"

    def to_json(self) -> dict[str, Any]:
        """Everything that was measured."""
        sides = {
            key: {"label": side.label, "median_s": side.median, "seconds": list(side.seconds)}
            for key, side in (("ours", self.ours), ("alternative", self.other))
        }
        return {
            "name": self.name,
            **sides,
            "ratio": self.ratio,
            "spread": self.spread,
            "least": self.least,
            "holds": self.holds,
            "megabytes": self.megabytes,
        }


def compare(
    name: str,
    ours: tuple[str, Action],
    other: tuple[str, Action],
    *,
    repeat: int,
    megabytes: float | None = None,
    least: float | None = None,
) -> Comparison:
    """Runs both in turn `repeat` times after one uncounted time each, so that a busy moment hits both.

    least: the ratio below which `python -m benchmarks` fails.
    """
    sides = (ours, other)
    for _, action in sides:
        action()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat):
        for (_, action), taken in zip(sides, seconds, strict=True):
            began = time.perf_counter()
            action()
            taken.append(time.perf_counter() - began)
    measured = (Side(ours[0], tuple(seconds[0])), Side(other[0], tuple(seconds[1])))
    return Comparison(name, *measured, megabytes=megabytes, least=least)
