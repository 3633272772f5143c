"""The reports of all teams, board by board."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.comparison import read_entrants
from evaluator.ranking import RankingError
from evaluator.scoring import Report
from evaluator.spec import Challenge


@dataclass(frozen=True)
class Entry:
    """One team's report of one board in one track."""

    track: str
    team: str
    board: str
    report: Report
    baseline: bool = False
    eligible: bool = True


def read_entries(challenge: Challenge, directory: Path) -> list[Entry]:
    """Every report that counts, as `evaluator.comparison.read_entrants` finds them: by track, board and team.

    Raises:
        RankingError: as there, or reports of one board that are of different datasets.
    """
    found = [
        Entry(track, one.team, board, one.reports[board], one.baseline, one.eligible)
        for track, entrants in read_entrants(challenge, directory).items()
        for board in challenge.boards
        for one in sorted(entrants, key=lambda one: one.team)
        if board in one.reports
    ]
    for message in _mixed(found):
        raise RankingError(message)
    return found


def _mixed(entries: list[Entry]) -> Iterator[str]:
    datasets: dict[str, str] = {}
    for one in entries:
        if datasets.setdefault(one.board, one.report.extras.dataset) != one.report.extras.dataset:
            yield f"{one.team}/{one.track}/{one.board}.json: is of another dataset than the others of its board"
