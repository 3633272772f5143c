"""The pictures of the control room, from what the API answers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from contract.changes import PlaceShift
from contract.overview import ChallengeOverview, PhaseLine
from evaluator.charts import (
    DayOutcomes,
    MovedTeam,
    Picture,
    QueuedDay,
    TimelinePhase,
    forecast,
    outcomes,
    slope,
    timeline,
)

_DAY_HOURS = 24.0
_MOST_DAYS = 60


def outcomes_of(found: ChallengeOverview) -> Picture:
    """Evaluations by the day on which they were submitted; those that were cancelled stand in the table alone."""
    days = [DayOutcomes(one.day, one.scored, one.rejected, one.errored, one.under_way) for one in found.days]
    return outcomes(days)


def timeline_of(found: ChallengeOverview) -> Picture | None:
    """The phases with today among them; None where none has a date."""
    rows = [TimelinePhase(one.title, one.opens, one.closes, one.freezes) for one in found.phases]
    return timeline(rows, now=found.at) if any(one.opens or one.closes for one in found.phases) else None


def forecast_of(found: ChallengeOverview) -> Picture | None:
    """The queue of the phase that closes next against its end; None where nothing waits, or no slot takes work."""
    due = [one for one in found.phases if one.slot_seconds and one.closes and one.closes > found.at]
    if not due or not found.slots:
        return None
    phase = min(due, key=lambda one: one.closes or found.at)
    return _forecast(phase, found.at, found.slots)


def _forecast(phase: PhaseLine, at: datetime, slots: int) -> Picture | None:
    if phase.closes is None or phase.slot_seconds is None:
        return None
    hours, day = phase.slot_seconds / 3600, at.astimezone(UTC).date()
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    left_today = (midnight - at).total_seconds() / 3600
    rows: list[QueuedDay] = []
    while len(rows) < _MOST_DAYS and (hours > 0 or not rows):
        hours = max(0.0, hours - slots * (left_today if not rows else _DAY_HOURS))
        rows.append(QueuedDay(day + timedelta(days=len(rows)), hours, slots * _DAY_HOURS))
    return forecast(rows, deadline=phase.closes, title=f"The queue of {phase.title} against its end")


def moved(track: str, shifts: Sequence[PlaceShift]) -> Picture | None:
    """The places of a track before and after; None where none changes."""
    teams = [
        MovedTeam(one.team, one.place_before, one.place_after)
        for one in shifts
        if one.place_before is not None or one.place_after is not None
    ]
    if all(one.before == one.after for one in teams):
        return None
    return slope(teams, title=f"How places move on the {track} track", name=f"moves-{track}")
