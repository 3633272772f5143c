"""`python -m evaluator calibrate`: reports in, how often their intervals and places hold the truth out."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from evaluator.calibration import CalibrationFile, calibrate, steps_of
from evaluator.cli._calibrated import print_calibration
from evaluator.cli._ending import ended
from evaluator.cli._files import refuse_unwritable
from evaluator.cli._progress import progress
from evaluator.comparison import Entrant, read_entrants, read_report
from evaluator.metrics.registry import UnknownMetric
from evaluator.ranking import RankingError, ScorerFailed
from evaluator.scoring import ScoringError
from evaluator.spec import Challenge, SpecError, load_challenge
from evaluator.terminal import say

_MOST = 100_000


def calibrate_command(
    reports: Annotated[
        list[Path],
        typer.Argument(
            metavar="REPORT…",
            help="Reports of `score`; or the directory of TEAM/TRACK/BOARD.json, for places too.",
        ),
    ],
    challenge: Annotated[Path, typer.Option("--challenge", help="The challenge file.")],
    datasets: Annotated[
        int, typer.Option("--datasets", min=50, max=_MOST, help="Simulated for each interval and each track.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn.")] = 1,
    classes: Annotated[
        list[str] | None,
        typer.Option("--classes", help="Cases of each class of a board, as BOARD=60,40; may be repeated."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write it all, team by team, as JSON.")
    ] = None,
    overlay: Annotated[Path | None, typer.Option("--overlay", help="A site's file merged over it.")] = None,
) -> None:
    """Simulate what the reports promise: how often intervals and sets of places hold a truth that is known.

    Each interval is made anew, by the code that scoring uses, of datasets as large as the observed one, from a
    distribution that has the observed value and, as far as the report tells, the observed spread. Places are those of
    teams that truly are as far apart as observed, and of teams that are apart only as far as chance does not explain.

    Exit codes: 0 simulated, whatever came out, 1 the reports do not fit together, 2 the call or the challenge file is
    wrong, 3 in one of the reports a metric failed (score that entry again).
    """
    try:
        refuse_unwritable("--json", json_file)
        spec = load_challenge(challenge, overlay)
        sizes = _sizes(classes or [], spec)
        entrants, places = _entrants(spec, reports)
        total = steps_of(entrants, datasets, places=places)
        with progress("Simulating", total) as advance:
            found = calibrate(
                spec, entrants, seed=seed, datasets=datasets, sizes=sizes, places=places, advance=advance
            )
        _write(found, json_file)
        print_calibration(found)
        sys.stdout.flush()
    except (SpecError, UnknownMetric, ScoringError, OSError) as error:
        raise ended(error, 2) from None
    except RankingError as error:
        raise ended(error, 3 if isinstance(error, ScorerFailed) else 1) from None


def _write(found: CalibrationFile, json_file: Path | None) -> None:
    if json_file is not None:
        json_file.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _entrants(spec: Challenge, paths: Sequence[Path]) -> tuple[Mapping[str, Sequence[Entrant]], bool]:
    """The teams of a directory; of single reports, each is a team of its own, in no track."""
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise typer.BadParameter(f"{folders[0]}: give either one directory of all teams or single reports")
    if folders:
        return read_entrants(spec, folders[0]), True
    names = [str(path) for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise typer.BadParameter(f"{twice}: it is named twice")
    found = []
    for name, path in zip(names, paths, strict=True):
        report = read_report(spec, path)
        found.append(Entrant(name, {report.board: report}))
    if len(paths) > 1:
        say("Places are simulated where the directory of all teams is given instead of reports.", err=True)
    return {"": found}, False


def _sizes(asked: Sequence[str], spec: Challenge) -> dict[str, tuple[int, ...]]:
    found = {}
    for text in asked:
        board, _, numbers = text.partition("=")
        if board not in spec.boards:
            raise typer.BadParameter(
                f"--classes {text}: there is no board {board!r}; the boards are {', '.join(spec.boards)}"
            )
        parts = numbers.split(",")
        if len(parts) < 2 or not all(
            part.isascii() and part.isdecimal() and 0 < int(part) <= 10**7 for part in parts
        ):
            raise typer.BadParameter(
                f"--classes {text}: it is BOARD= and the cases of each class, from label 0 on, such as {board}=60,40"
            )
        found[board] = tuple(map(int, parts))
    return found
