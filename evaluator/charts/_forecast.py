"""Whether the queue is worked off before the deadline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from evaluator.charts._dates import DateScale, moment_of, short, whole
from evaluator.charts._marks import counted, drawing, figure, legend, line, more, rect, text, tick, told
from evaluator.charts._picture import Picture
from evaluator.charts._scale import WIDTH, Scale, is_drawn
from evaluator.charts._textures import slanted

_HIGH = 160
_MOST = 92  # days
_LEFT, _RIGHT = 52, 12


@dataclass(frozen=True)
class QueuedDay:
    """Hours of work that are expected to wait at the end of a day, and those that can be done in it, if known."""

    day: date
    waiting: float
    capacity: float | None = None


def forecast(
    days: Sequence[QueuedDay],
    *,
    deadline: datetime,
    title: str = "The queue against the deadline",
    name: str = "forecast",
) -> Picture:
    """A bar per day of the hours that wait at its end, what can be done in a day, and the deadline (with its zone)."""
    ordered = sorted(days, key=lambda one: one.day)
    due = deadline.astimezone(UTC)
    known, drawn = [one for one in ordered if is_drawn(one.waiting)], ordered[:_MOST]
    body, top = legend(_entries(ordered), 8, 0)
    top += 26
    bottom = top + _HIGH
    heights = [0.0, *(value for one in drawn for value in (one.waiting, one.capacity) if value is not None)]
    upward = Scale.over(heights, start=bottom, end=top)
    moments = [moment_of(one.day + timedelta(days=days_on)) for one in drawn for days_on in (0, 1)]
    across = DateScale.over([*moments, due], start=_LEFT, end=WIDTH - _RIGHT)
    for value in upward.ticks:
        y = upward.at(value)
        body.append(line(across.start, y, across.end, y, "base" if value == 0 else "grid"))
        body.append(text(across.start - 6, y, f"{value:.6g}", "small end"))
    body.append(text(8, top - 14, "↑ hours", "small"))
    body += [tick(across.at(at), bottom + 13, words) for at, words in across.ticks()]
    for one in drawn:
        body.append(told(_sentence(one), _bar(one, due, upward, across)))
    body += _deadline(due, across, top, bottom)
    rest, room = more(len(ordered), len(drawn), "day", _LEFT, bottom + 24)
    description = _verdict(known, due)
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            "Each bar is the hours of work that wait at the end of a day, the level line what can be done in one; bars "
            "with slanted lines are after the deadline, so the queue is in time where the bars end before the dashed "
            "line."
        ),
        svg=drawing(title, description, bottom + 24 + room, [*body, *rest]),
        header=("Day", "Hours waiting", "Hours that can be done"),
        values=tuple((one.day.isoformat(), one.waiting, one.capacity) for one in ordered),
    )


def _entries(days: Sequence[QueuedDay]) -> list[tuple[str, str]]:
    entries = [(rect(-6, -6, 12, 12, "scored"), "waiting")]
    if any(one.capacity is not None for one in days):
        entries.append((line(-8, 0, 8, 0, "now"), "can be done in a day"))
    late = rect(-6, -6, 12, 12, "late") + slanted(-6, -6, 12, 12)
    return [*entries, (late, "after the deadline")]


def _bar(one: QueuedDay, due: datetime, upward: Scale, across: DateScale) -> list[str]:
    start, end = across.at(moment_of(one.day)), across.at(moment_of(one.day + timedelta(days=1)))
    gap = min(3.0, (end - start) * 0.15)
    x, wide, drawn = start + gap, end - start - 2 * gap, []
    if is_drawn(one.waiting) and one.waiting > 0:
        y = upward.at(one.waiting)
        late = moment_of(one.day + timedelta(days=1)) > due
        drawn.append(rect(x, y, wide, upward.at(0) - y, "late" if late else "scored"))
        drawn.append(slanted(x, y, wide, upward.at(0) - y) if late else "")
    elif not is_drawn(one.waiting) and one.waiting == one.waiting:
        drawn.append(text((start + end) / 2, upward.at(0) - 10, "∞", "middle"))
    if one.capacity is not None and is_drawn(one.capacity):
        drawn.append(line(start, upward.at(one.capacity), end, upward.at(one.capacity), "now"))
    return drawn


def _deadline(due: datetime, across: DateScale, top: float, bottom: float) -> list[str]:
    x = across.at(due)
    words = f"deadline {short(due.date())}, {due:%H:%M} UTC"
    place = text(x + 4, top - 12, words, "small") if x < WIDTH / 2 else text(x, top - 12, words, "small end")
    return [line(x, top - 6, x, bottom, "due"), place]


def _sentence(one: QueuedDay) -> str:
    done = "" if one.capacity is None else f", {figure(one.capacity, 3)} can be done"
    return f"{short(one.day)}: {figure(one.waiting, 3)} hours wait at the end of the day{done}"


def _verdict(days: Sequence[QueuedDay], due: datetime) -> str:
    """Whether the queue is worked off in time."""
    if not days:
        return "Nothing is known of the days to come."
    empty = next((one for one in days if one.waiting <= 0), None)
    if empty is not None and moment_of(empty.day + timedelta(days=1)) <= due:
        return f"The queue is empty by the end of {whole(empty.day)}, before the deadline on {whole(due.date())}."
    before = [one for one in days if moment_of(one.day + timedelta(days=1)) <= due]
    left = before[-1] if before else days[0]
    later = f"; it is empty by the end of {whole(empty.day)}" if empty is not None else ""
    return (
        f"At the end of {whole(left.day)}, {'the last whole day' if before else 'the day'} before the deadline, "
        f"{counted(round(left.waiting), 'hour')} of work {'waits' if round(left.waiting) == 1 else 'wait'}{later}."
    )
