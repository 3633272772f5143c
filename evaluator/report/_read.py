"""Finds the reports of all teams: `DIR/TRACK/TEAM/BOARD.json`, as `score --json` writes them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from evaluator.scoring import Report
from evaluator.spec import Challenge


class ReportError(ValueError):
    """A directory of reports that cannot be used; the message names the file."""


@dataclass(frozen=True)
class Entry:
    """One team's report of one board in one track."""

    track: str
    team: str
    board: str
    report: Report
    baseline: bool = False


def read_entries(challenge: Challenge, directory: Path, baselines: Collection[str] = ()) -> list[Entry]:
    """Every report under `directory`, tracks and boards in the order of the challenge, teams by name.

    Args:
        challenge: names the tracks and boards; other folders and files are refused.
        directory: of `TRACK/TEAM/BOARD.json`.
        baselines: teams that are shown without a place.

    Raises:
        ReportError: nothing there, an unknown track, board or baseline, a file that is no report, or reports of
            one board that are of different datasets.
    """
    if not directory.is_dir():
        raise ReportError(f"{directory}: there is no such directory")
    found = [_entry(challenge, path, baselines) for path in sorted(directory.glob("*/*/*.json"))]
    if not found:
        raise ReportError(f"{directory}: holds no TRACK/TEAM/BOARD.json")
    if unknown := sorted(set(baselines) - {one.team for one in found}):
        raise ReportError(f"there is no report of the baseline {unknown[0]!r}")
    for message in _mixed(found):
        raise ReportError(message)
    order = {name: number for number, name in enumerate((*challenge.tracks, *challenge.boards))}
    return sorted(found, key=lambda one: (order[one.track], order[one.board], one.team))


def _entry(challenge: Challenge, path: Path, baselines: Collection[str]) -> Entry:
    track, team, board = path.parent.parent.name, path.parent.name, path.stem
    name = "/".join(path.parts[-3:])
    if track not in challenge.tracks:
        raise ReportError(
            f"{name}: there is no track {track!r}; the tracks are {', '.join(challenge.tracks)}"
        )
    if board not in challenge.boards:
        raise ReportError(
            f"{name}: there is no board {board!r}; the boards are {', '.join(challenge.boards)}"
        )
    try:
        report = Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise ReportError(f"{name}: is no report: {first}") from None
    if report.board != board or set(report.metrics) != set(challenge.boards[board].metrics):
        raise ReportError(f"{name}: is not a report of board {board} of this challenge")
    return Entry(track, team, board, report, team in baselines)


def _mixed(entries: list[Entry]) -> Iterator[str]:
    datasets: dict[str, str] = {}
    for one in entries:
        if datasets.setdefault(one.board, one.report.extras.dataset) != one.report.extras.dataset:
            yield f"{one.track}/{one.team}/{one.board}.json: is of another dataset than the others of its board"
