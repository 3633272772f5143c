"""What changes on boards as CSV: a row for each place or prize, value, interval or rank that does."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from contract.changes import EntryShift, PlaceShift, Shifts, ValueAt
from server.words import for_spreadsheet

_SIDES = "before", "after"
COLUMNS = (
    *("phase", "track", "team", "board", "metric"),
    *(f"{what}_{side}" for what in ("value", "low", "high", "rank", "place", "prize") for side in _SIDES),
    *("cause", "own", "others"),
)
"""Rows without a board are of a place over all boards, those without a metric of a rank alone."""


def as_csv(shifts: Shifts) -> str:
    """Every change at full precision; `cause`, `own` and `others` are those of `PlaceShift`."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for phase in shifts.phases:
        for track in phase.tracks:
            where = {"phase": phase.phase, "track": track.track}
            writer.writerows({**where, **_place(team)} for team in track.teams if team.cause is not None)
            for board in track.boards:
                for entry in board.entries:
                    writer.writerows({**where, "board": board.board, **row} for row in _ranked(entry))
    return out.getvalue()


def _place(team: PlaceShift) -> dict[str, Any]:
    return {
        "team": for_spreadsheet(team.team),
        "place_before": team.place_before,
        "place_after": team.place_after,
        "prize_before": for_spreadsheet(team.prize_before),
        "prize_after": for_spreadsheet(team.prize_after),
        "cause": team.cause,
        "own": "; ".join(team.own),
        "others": for_spreadsheet("; ".join(team.others)),
    }


def _ranked(entry: EntryShift) -> Iterator[dict[str, Any]]:
    of = {
        "team": for_spreadsheet(entry.team),
        "rank_before": entry.rank_before,
        "rank_after": entry.rank_after,
    }
    if not entry.metrics:
        yield of
    for metric in entry.metrics:
        yield {
            **of,
            "metric": metric.metric,
            **_measured(metric.before, "before"),
            **_measured(metric.after, "after"),
        }


def _measured(value: ValueAt | None, side: str) -> dict[str, Any]:
    return {} if value is None else {f"{name}_{side}": part for name, part in value.model_dump().items()}
