"""Axes: which values get a mark, where it goes, and which numbers stand beside the axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 480  # of every drawing; the page scales it to its column
LABELS = 132.0
"""Where the axis of a drawing begins whose labels are short."""
_RIGHT = 12
_PAD = 8
_LARGEST = 1e100  # a value beyond says nothing about the others, and sums of such values overflow


@dataclass(frozen=True)
class Scale:
    """Maps values to an axis that runs from `start` to `end` in the drawing; `end` may be the lesser one."""

    low: float
    high: float
    ticks: tuple[float, ...]
    start: float = LABELS + _PAD
    end: float = WIDTH - _RIGHT - _PAD

    @classmethod
    def over(
        cls,
        values: Sequence[float],
        *,
        whole: bool = False,
        start: float = LABELS + _PAD,
        end: float = WIDTH - _RIGHT - _PAD,
    ) -> "Scale":
        """A scale with round ticks that holds all values that are drawn; of whole numbers only if asked for."""
        drawn = [value for value in values if is_drawn(value)]
        low, high = min(drawn, default=0.0), max(drawn, default=1.0)
        least = max(1e-12, max(abs(low), abs(high)) * 1e-12)  # below, ticks would not be told apart
        if high - low < least:
            pad = max(0.5, abs(high) * 1e-6)
            low, high = low - pad, high + pad
        step = round_step((high - low) / 4)
        step = max(1.0, math.ceil(step)) if whole else step
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        ticks = tuple(number * step for number in range(first, last + 1))
        return cls(min(ticks[0], low), max(ticks[-1], high), ticks, start, end)

    @classmethod
    def places(cls, last: int, *, start: float, end: float) -> "Scale":
        """A scale of the places 1 to `last`, with a tick at the first one."""
        step = max(1, math.ceil(round_step(max(last, 1) / 8)))
        ticks = (1, *(place for place in range(step, last + 1, step) if place > 1))
        return cls(0.5, max(last, 1) + 0.5, tuple(map(float, ticks)), start, end)

    def at(self, value: float) -> float:
        """Where a value is in the drawing."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def is_drawn(value: float | None) -> bool:
    """Whether a value gets a mark; one that is not finite or beyond 1e100 is told in words."""
    return value is not None and abs(value) <= _LARGEST


def round_step(least: float) -> float:
    """The next round number, for steps between ticks."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10, 20) if factor * power >= least * 0.999)
