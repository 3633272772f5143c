"""Reports from a directory: `DIR/TEAM/TRACK/BOARD.json`, or a directory per attempt below the track."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from evaluator.comparison._entrants import Entrant
from evaluator.comparison._whole import disagreement
from evaluator.ranking import (
    RankingError,
    Row,
    ScorerFailed,
    check_range,
    choose_entry,
    read_teams,
    same_name,
)
from evaluator.scoring import Report, changed_settings, settings_of
from evaluator.spec import Challenge


def read_entrants(challenge: Challenge, directory: Path) -> dict[str, list[Entrant]]:
    """The teams of each track with the reports that count, in the challenge's order of tracks.

    A team with several attempts has a directory for each, `DIR/TEAM/TRACK/ATTEMPT/BOARD.json`, in natural
    order (2 before 10); which counts is decided per task by the rule's `entry`. `DIR/teams.csv` may mark
    teams that have a directory: `team,is_baseline,eligible`.

    Raises:
        RankingError: a name that is no track or board, a file that is no report or lies where none is looked for,
            a value outside its metric's range, a team without a report, or nothing at all.
        ScorerFailed: in a report a metric failed; without its value the entry would take the last place.
    """
    if not directory.is_dir():
        raise RankingError(f"{directory}: there is no such directory")
    teams = _teams(directory)
    marks = read_teams(directory / "teams.csv", teams)
    tracks: dict[str, list[Entrant]] = {track: [] for track in challenge.tracks}
    for name, team in teams.items():
        _refuse_misplaced(directory, team)
        baseline, eligible = marks.get(name, (False, True))
        for folder in _folders(team):
            if folder.name not in tracks:
                raise RankingError(
                    f"{team.name}: there is no track {folder.name!r}; the tracks are {', '.join(tracks)}"
                )
            entrant = Entrant(name, _counting(challenge, folder), baseline, eligible)
            tracks[folder.name].append(entrant)
    entered = {track: entrants for track, entrants in tracks.items() if entrants}
    if not entered:
        raise RankingError(f"{directory.name}: no reports; they are expected at TEAM/TRACK/BOARD.json")
    return entered


def _teams(directory: Path) -> dict[str, Path]:
    teams: dict[str, Path] = {}
    for folder in _folders(directory):
        name = same_name(folder.name)
        if name in teams:
            raise RankingError(
                f"{directory.name}: two directories are called {name!r}, in other code points "
                f"({teams[name].name!a} and {folder.name!a}); put the reports of a team into one"
            )
        teams[name] = folder
    return teams


def _refuse_misplaced(directory: Path, team: Path) -> None:
    """A report that nobody reads would cost its team a board, or the team its place, without a word."""
    tracks = _folders(team)
    attempts = [folder for track in tracks for folder in _folders(track)]
    deeper = [path for attempt in attempts for folder in _folders(attempt) for path in folder.rglob("*")]
    near = [path for folder in (team, *tracks, *attempts) for path in folder.iterdir()]
    found = [path for path in (*near, *deeper) if path.suffix.lower() == ".json"]
    for path in found:
        if path.suffix != ".json" or path.parent not in (*tracks, *attempts):
            raise RankingError(
                f"{path.relative_to(directory)}: no report is looked for here; they are TEAM/TRACK/BOARD.json or "
                "TEAM/TRACK/ATTEMPT/BOARD.json"
            )
    if not found:
        raise RankingError(f"{team.name}: holds no report; they are expected at {team.name}/TRACK/BOARD.json")


def _counting(challenge: Challenge, team: Path) -> dict[str, Report]:
    """The reports of the attempt that counts, task by task; a rejected report is no valid attempt."""
    attempts = [_attempt(challenge, folder) for folder in (team, *_folders(team))]
    counting: dict[str, Report] = {}
    for task in challenge.tasks:
        boards = challenge.boards_of(task)
        tried = [
            {name: attempt[name] for name in boards if name in attempt and attempt[name].rejected is None}
            for attempt in attempts
        ]
        valid = [attempt for attempt in tried if attempt]
        if valid:
            counting |= valid[
                choose_entry(challenge.ranking, boards, [_values(attempt) for attempt in valid])
            ]
        else:  # rejected ones rank nobody, and say why
            counting |= {name: attempt[name] for attempt in attempts for name in boards if name in attempt}
    return counting


def _values(reports: Mapping[str, Report]) -> dict[tuple[str, str], float | None]:
    return {
        (board, metric): score.value
        for board, report in reports.items()
        for metric, score in report.metrics.items()
    }


def _attempt(challenge: Challenge, folder: Path) -> dict[str, Report]:
    reports = {}
    for path in sorted(folder.glob("*.json")):
        _refuse_undecodable(path)
        if path.stem not in challenge.boards:
            raise RankingError(
                f"{path}: there is no board {path.stem!r}; the boards are {', '.join(challenge.boards)}"
            )
        reports[path.stem] = read_report(challenge, path, path.stem)
    return reports


def read_report(challenge: Challenge, path: Path, board: str | None = None) -> Report:
    """One report of `score`; `board`: which it has to be of.

    Raises:
        RankingError: it cannot be read, is no report, or not of a board of this challenge file; its parts disagree; it
            was scored with other settings than the file has; a value lies outside of its metric's range.
        ScorerFailed: a metric failed in it.
    """
    place = str(path)  # an attempt has a directory of its own, and the team is above that
    try:
        report = Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RankingError(f"{place}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise RankingError(f"{place}: not a report: {_first(error)}") from None
    if board is not None and report.board != board:
        raise RankingError(f"{place}: this is the report of {report.board}")
    if report.board not in challenge.boards:
        raise RankingError(
            f"{place}: there is no board {report.board!r}; the boards are {', '.join(challenge.boards)}"
        )
    if set(report.metrics) != set(challenge.boards[report.board].metrics):
        raise RankingError(f"{place}: its metrics are not those of {report.board} in this challenge file")
    wrong = disagreement(report)
    if wrong is not None:
        raise RankingError(f"{place}: {wrong}; the file was changed or cut short: score again")
    _refuse_other_settings(challenge, report, place)
    for key, metric in report.metrics.items():
        name = challenge.boards[report.board].metrics[key].metric
        check_range(Row("", "", report.board, key, metric.value, place=place), name)
        if metric.fault is not None:
            raise ScorerFailed(
                f"{place}: {metric.fault}: {key} has no value. {metric.reason or ''} "
                "Mend the metric and score again, or leave this report out"
            )
    return report


def _refuse_other_settings(challenge: Challenge, report: Report, place: str) -> None:
    """Values of other settings would be ranked among those of this file, under its digest; older reports tell none."""
    board = challenge.boards[report.board]
    if report.extras.settings is None:
        return
    now = settings_of(board, challenge.tasks[board.task])
    for field, then, here in changed_settings(report.extras.settings, now):
        raise RankingError(
            f"{place}: {report.board} was scored with {field} {then}, and this challenge file has {here}; score it "
            "again with this file, or give the file that all reports were scored with"
        )


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else str(first["msg"])


def _folders(directory: Path) -> list[Path]:
    folders = [path for path in directory.iterdir() if path.is_dir()]
    for folder in folders:
        _refuse_undecodable(folder)
        if not folder.name.isprintable():  # would steer the terminal, or turn the line around
            raise RankingError(f"the name {folder.name!a} holds characters that cannot be printed")
    return sorted(folders, key=lambda path: (_natural(path.name), path.name))


def _refuse_undecodable(path: Path) -> None:
    """Names that are not UTF-8 cannot be printed, nor stand in a report."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise RankingError(f"the name {os.fsencode(path.name)!r} is not UTF-8") from None


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
