"""The reports of one board."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.comparison import Entrant
from evaluator.scoring import Report


@dataclass(frozen=True)
class TeamReport:
    """One team's report of one board in one track."""

    team: str
    report: Report
    baseline: bool = False


def entries_of(entrants: Sequence[Entrant], board: str) -> list[TeamReport]:
    """Those who have a report of the board, rejected or not, by name."""
    entries = [
        TeamReport(entrant.team, entrant.reports[board], entrant.baseline)
        for entrant in entrants
        if board in entrant.reports
    ]
    return sorted(entries, key=lambda entry: entry.team)
