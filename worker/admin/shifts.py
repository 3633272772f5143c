"""What changes on boards, as tables: places and prizes with the reason, then values with their intervals."""

from contract.changes import EntryShift, PhaseShift, Shifts, ValueAt
from worker.admin.tables import Listing, show


def show_shifts(shifts: Shifts) -> None:
    """Prints what changes, and says so where nothing does."""
    show(places(shifts), otherwise="No place and no prize changes.")
    values_listed = values(shifts)
    if values_listed.rows:
        show(values_listed)


def places(shifts: Shifts) -> Listing:
    """A row for each team whose place or prize changes."""
    table = Listing(
        ("team", "phase", "track", "place", "prize", "because of"), prose=frozenset({"because of"})
    )
    for phase in shifts.phases:
        for track in phase.tracks:
            for team in track.teams:
                if team.cause is None:
                    continue
                table.add(
                    team.team,
                    phase.phase,
                    track.track,
                    _pair(team.place_before, team.place_after),
                    _pair(team.prize_before, team.prize_after),
                    _because(phase, team.own, team.others),
                )
    return table


def _because(phase: PhaseShift, own: list[str], others: list[str]) -> str:
    parts = ["the ranking rule"] if phase.rule else []
    parts += [f"its own {', '.join(own)}"] if own else []
    return "; ".join([*parts, *([", ".join(others)] if others else [])])


def values(shifts: Shifts) -> Listing:
    """A row for each value, interval or rank on a board that changes."""
    table = Listing(("team", "phase", "track", "board", "metric", "before", "after", "rank"))
    for phase in shifts.phases:
        for track in phase.tracks:
            for board in track.boards:
                for entry in board.entries:
                    for row in _rows(entry, phase.decimals):
                        table.add(entry.team, phase.phase, track.track, board.board, *row)
    return table


def _rows(entry: EntryShift, decimals: int) -> list[tuple[str, str, str, str]]:
    rank = _pair(entry.rank_before, entry.rank_after)
    if not entry.metrics:
        return [("", "", "", rank)]
    return [
        (metric.metric, _measured(metric.before, decimals), _measured(metric.after, decimals), rank)
        for metric in entry.metrics
    ]


def _measured(value: ValueAt | None, decimals: int) -> str:
    if value is None:
        return "none"
    if value.value is None:
        return "no value"
    ends = (
        ""
        if value.low is None or value.high is None
        else f" ({value.low:.{decimals}f}–{value.high:.{decimals}f})"
    )
    return f"{value.value:.{decimals}f}{ends}"


def _pair(before: float | str | None, after: float | str | None) -> str:
    told = [
        "–" if side is None else side if isinstance(side, str) else f"{side:g}" for side in (before, after)
    ]
    return (
        told[0] if told[0] == told[1] and before is not None else "" if before == after else " → ".join(told)
    )
