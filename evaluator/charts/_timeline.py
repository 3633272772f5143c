"""The phases of a challenge over their dates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from evaluator.charts._dates import DateScale, short, whole
from evaluator.charts._marks import (
    column,
    drawing,
    label,
    legend,
    line,
    listed,
    more,
    number,
    rect,
    shape,
    text,
    told,
)
from evaluator.charts._picture import Picture
from evaluator.charts._scale import WIDTH

_ROW = 38
_RIGHT = 14
_MOST = 40  # phases
State = Literal["over", "running", "to come", "not dated"]
_STYLE = {"over": "over", "running": "running", "to come": "coming"}


@dataclass(frozen=True)
class TimelinePhase:
    """A phase and its dates, each with its zone; None where there is none.

    freezes: when its board stops to show what comes in. releases: when its results are published.
    """

    title: str
    opens: datetime | None = None
    closes: datetime | None = None
    freezes: datetime | None = None
    releases: datetime | None = None

    def state(self, now: datetime) -> State:
        """Where the phase is at a moment."""
        if self.opens is None:
            return "not dated"
        if now < self.opens:
            return "to come"
        return "running" if self.closes is None or now < self.closes else "over"


def timeline(
    phases: Sequence[TimelinePhase], *, now: datetime, title: str = "Phases", name: str = "timeline"
) -> Picture:
    """A bar per phase over the dates, with today, and marks where a board freezes and where results are released."""
    moments = [
        moment.astimezone(UTC)
        for one in phases
        for moment in (one.opens, one.closes, one.freezes, one.releases)
        if moment is not None
    ]
    left = column([*(one.title for one in phases), *(_state(one, now) for one in phases)], most=140, least=70)
    held = DateScale.over([*moments, now.astimezone(UTC)], start=left + 12, end=WIDTH - _RIGHT)
    pad = (held.high - held.low) / 40
    endless = any(one.opens is not None and one.closes is None for one in phases)
    scale = DateScale(held.low - pad, held.high + (4 if endless else 1) * pad, held.start, held.end)
    body, top = legend(_entries(phases), 8, 0)
    top += 22
    shown = phases[:_MOST]
    bottom = top + max(len(shown), 1) * _ROW
    body += scale.axis(top, bottom)
    for row, one in enumerate(shown):
        y = top + (row + 0.5) * _ROW
        body += [label(one.title, y - 7, left), text(left - 4, y + 8, _state(one, now), "small end")]
        body.append(told(_sentence(one, now), _bar(one, now, y, scale)))
    x = scale.at(now.astimezone(UTC))
    today = f"today, {short(now.astimezone(UTC).date())}"
    place = (
        text(x, top - 10, today, "small end") if x > WIDTH * 0.8 else text(x - 4, top - 10, today, "small")
    )
    body += [line(x, top - 4, x, bottom, "now"), place]
    if not phases:
        body.append(text((scale.start + scale.end) / 2, top + _ROW / 2, "no phase yet", "middle quiet"))
    rest, room = more(len(phases), len(shown), "phase", left, bottom + 24)
    description = listed([_sentence(one, now) for one in phases], "There is no phase yet.")
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            "Each bar is a phase from its opening to its end, full while it runs, grey when it is over and dashed "
            "before it opens; the vertical line is today, and dates are those of UTC."
        ),
        svg=drawing(title, description, bottom + 24 + room, [*body, *rest]),
        header=("Phase", "State", "Opens", "Board freezes", "Closes", "Results released"),
        values=tuple(
            (one.title, one.state(now), *map(_at, (one.opens, one.freezes, one.closes, one.releases)))
            for one in phases
        ),
    )


def _entries(phases: Sequence[TimelinePhase]) -> list[tuple[str, str]]:
    entries = [
        (rect(-8, -5, 16, 10, "running"), "running"),
        (rect(-8, -5, 16, 10, "over"), "over"),
        (rect(-8, -5, 16, 10, "coming"), "to come"),
    ]
    if any(one.freezes for one in phases):
        entries.append((shape("diamond", 0, 0, "freeze"), "board freezes"))
    if any(one.releases for one in phases):
        entries.append((shape("triangle", 0, 0, "release"), "results released"))
    return entries


def _bar(one: TimelinePhase, now: datetime, y: float, scale: DateScale) -> list[str]:
    state = one.state(now)
    if one.opens is None or state == "not dated":
        return [text(scale.start + 4, y, "dates are not set", "quiet")]
    start = scale.at(one.opens.astimezone(UTC))
    end = scale.end if one.closes is None else scale.at(one.closes.astimezone(UTC))
    drawn = [rect(start, y - 8, max(end - start, 2), 16, _STYLE[state])]
    if one.closes is None:  # goes on
        x, middle = number(end - 9), number(y)
        drawn.append(
            f'<path class="hatch" d="M{x} {number(y - 5)}L{number(end - 4)} {middle}L{x} {number(y + 5)}"/>'
        )
    if one.freezes is not None:
        drawn.append(shape("diamond", scale.at(one.freezes.astimezone(UTC)), y, "freeze"))
    if one.releases is not None:
        drawn.append(shape("triangle", scale.at(one.releases.astimezone(UTC)), y, "release"))
    return drawn


def _state(one: TimelinePhase, now: datetime) -> str:
    state = one.state(now)
    at = {"over": one.closes, "running": one.closes, "to come": one.opens}.get(state)
    if at is None:
        return state
    words = {"over": "over since", "running": "until", "to come": "from"}[state]
    return f"{words} {short(at.astimezone(UTC).date())}"


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _sentence(one: TimelinePhase, now: datetime) -> str:
    named = (
        ("opens", one.opens),
        ("freezes", one.freezes),
        ("closes", one.closes),
        ("released", one.releases),
    )
    dates = [f"{what} {whole(at.astimezone(UTC).date())}" for what, at in named if at is not None]
    return f"{one.title}: {', '.join([one.state(now), *dates])}"
