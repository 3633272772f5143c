"""Axes of dates: a tick at a round date, with as many as there is room for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from evaluator.charts._marks import line, tick

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOST = 7


@dataclass(frozen=True)
class DateScale:
    """Maps moments to an axis that runs from `start` to `end` in the drawing."""

    low: datetime
    high: datetime
    start: float
    end: float

    @classmethod
    def over(cls, moments: list[datetime], *, start: float, end: float) -> "DateScale":
        """A scale that holds all of `moments`, with at least a day."""
        low, high = (min(moments), max(moments)) if moments else (_EPOCH, _EPOCH)
        if high - low < timedelta(days=1):
            high = low + timedelta(days=1)
        return cls(low, high, start, end)

    def at(self, moment: datetime) -> float:
        """Where a moment is in the drawing."""
        return self.start + (moment - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[tuple[datetime, str]]:
        """Round dates in it, with what is written at each."""
        days = (self.high - self.low).days + 1
        for step in (1, 2, 3, 7, 14):
            if days <= step * _MOST:
                return [(day, short(day.date())) for day in self._each(step)]
        months = -(-days // (30 * _MOST))
        return [
            (day, _month(day.date()))
            for day in self._months(next(m for m in (1, 2, 3, 6, 12, 10**4) if m >= months))
        ]

    def _each(self, step: int) -> Iterator[datetime]:
        day = datetime(self.low.year, self.low.month, self.low.day, tzinfo=UTC)
        if day < self.low:
            day += timedelta(days=1)
        if step >= 7:
            day += timedelta(days=-day.weekday() % 7)  # weeks begin on Monday
        while day <= self.high:
            yield day
            day += timedelta(days=step)

    def _months(self, step: int) -> Iterator[datetime]:
        count = self.low.year * 12 + self.low.month - 1
        while count // 12 < 9999:
            day = datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)
            if day > self.high:
                return
            if day >= self.low and (count % step == 0 or step > 12):
                yield day
            count += 1

    def axis(self, top: float, bottom: float) -> list[str]:
        """A line at each tick, and its date below."""
        drawn = []
        for moment, words in self.ticks():
            x = self.at(moment)
            drawn += [line(x, top, x, bottom, "grid"), tick(x, bottom + 12, words)]
        return drawn


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def short(day: date) -> str:
    """`2 Dec`."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def whole(day: date) -> str:
    """`2 Dec 2026`."""
    return f"{short(day)} {day.year}"


def _month(day: date) -> str:
    return f"{_MONTHS[day.month - 1]} {day.year}" if day.month == 1 else _MONTHS[day.month - 1]


def moment_of(day: date) -> datetime:
    """The beginning of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
