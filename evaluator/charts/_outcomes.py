"""What became of submissions, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from evaluator.charts._dates import DateScale, moment_of, short, whole
from evaluator.charts._marks import counted, drawing, legend, line, rect, text, tick, told
from evaluator.charts._picture import Picture
from evaluator.charts._scale import WIDTH, Scale
from evaluator.charts._textures import level, slanted

OUTCOMES = ("scored", "rejected", "errored", "waiting")
"""What submissions come to, from the bottom of a bar to its top."""
_MOST_BARS = 92
_HIGH = 170
_LEFT, _RIGHT = 48, 12


@dataclass(frozen=True)
class DayOutcomes:
    """How many submissions of a day came to what."""

    day: date
    scored: int = 0
    rejected: int = 0
    errored: int = 0
    waiting: int = 0

    @property
    def counts(self) -> tuple[int, ...]:
        """In the order of `OUTCOMES`."""
        return self.scored, self.rejected, self.errored, self.waiting


def outcomes(
    days: Sequence[DayOutcomes], *, title: str = "Submissions by outcome", name: str = "outcomes"
) -> Picture:
    """A stacked bar per day, or per week where there are more days than bars that one can tell apart."""
    ordered = sorted(days, key=lambda one: one.day)
    span, bars = _bars(ordered)
    body, top = legend([(_swatch(kind), kind) for kind in OUTCOMES], 8, 0)
    top += 8
    bottom = top + _HIGH
    upward = Scale.over([0, *(sum(bar.counts) for bar in bars)], whole=True, start=bottom, end=top)
    moments = [moment_of(bar.day) for bar in bars]
    ends = [moment_of(bar.day + timedelta(days=span)) for bar in bars]
    across = DateScale.over([*moments, *ends], start=_LEFT, end=WIDTH - _RIGHT)
    body += _frame(upward, across)
    for bar in bars:
        start, end = across.at(moment_of(bar.day)), across.at(moment_of(bar.day + timedelta(days=span)))
        gap = min(3.0, (end - start) * 0.15)
        body.append(
            told(
                _sentence(bar, span),
                _bar(bar, min(start + gap, end), max(end - start - 2 * gap, 0.8), upward),
            )
        )
    if not bars:
        body.append(text((_LEFT + WIDTH) / 2, top + _HIGH / 2, "no submissions yet", "middle quiet"))
    description = _description(ordered)
    each = "day" if span == 1 else "week"
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            f"Each bar is a {each}, as high as its submissions are many: plain ones were scored, those with level "
            "lines rejected, those with slanted lines errored on our side, and those with a dotted outline wait."
        ),
        svg=drawing(title, description, bottom + 24, body),
        header=("Day", *(kind.capitalize() for kind in OUTCOMES)),
        values=tuple((one.day.isoformat(), *one.counts) for one in ordered),
    )


def _bars(days: Sequence[DayOutcomes]) -> tuple[int, list[DayOutcomes]]:
    """How many days a bar is, and the bars."""
    span = 1 if not days or (days[-1].day - days[0].day).days < _MOST_BARS else 7
    totals: dict[date, list[int]] = {}
    for one in days:
        start = one.day - timedelta(days=one.day.weekday() if span == 7 else 0)
        held = totals.setdefault(start, [0] * len(OUTCOMES))
        for kind, count in enumerate(one.counts):
            held[kind] += max(count, 0)
    return span, [DayOutcomes(start, *held) for start, held in totals.items()]


def _frame(upward: Scale, across: DateScale) -> list[str]:
    drawn = []
    for value in upward.ticks:
        y = upward.at(value)
        drawn += [
            line(across.start, y, across.end, y, "base" if value == 0 else "grid"),
            text(across.start - 6, y, f"{value:.6g}", "small end"),
        ]
    return [*drawn, *(tick(across.at(at), upward.start + 13, words) for at, words in across.ticks())]


def _bar(bar: DayOutcomes, x: float, wide: float, upward: Scale) -> list[str]:
    drawn, below = [], 0
    for kind, count in zip(OUTCOMES, bar.counts, strict=True):
        if count:
            low, high = upward.at(below), upward.at(below + count)
            drawn.append(_part(kind, x, high, wide, low - high))
            below += count
    return drawn


def _part(kind: str, x: float, y: float, wide: float, high: float) -> str:
    plain = rect(x, y, wide, high, kind)
    if kind == "rejected":
        return plain + level(x, y, wide, high)
    return plain + slanted(x, y, wide, high) if kind == "errored" else plain


def _swatch(kind: str) -> str:
    return _part(kind, -6, -6, 12, 12)


def _sentence(bar: DayOutcomes, span: int) -> str:
    when = short(bar.day) if span == 1 else f"Week of {short(bar.day)}"
    told_counts = [f"{count:,} {kind}" for kind, count in zip(OUTCOMES, bar.counts, strict=True) if count]
    return f"{when}: {', '.join(told_counts) or 'none'}"


def _description(days: Sequence[DayOutcomes]) -> str:
    if not days:
        return "There are no submissions yet."
    sums = [sum(column) for column in zip(*(one.counts for one in days), strict=True)]
    said = ", ".join(f"{count:,} {kind}" for kind, count in zip(OUTCOMES, sums, strict=True))
    return f"{counted(sum(sums), 'submission')} from {whole(days[0].day)} to {whole(days[-1].day)}: {said}."
