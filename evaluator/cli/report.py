"""`python -m evaluator report`: reports of all teams in, one HTML file out."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from evaluator.calibration import CalibrationFile
from evaluator.cli._ending import ended
from evaluator.cli._files import refuse_no_file, refuse_unwritable
from evaluator.comparison import read_entrants
from evaluator.metrics.registry import UnknownMetric
from evaluator.ranking import RankingError, ScorerFailed
from evaluator.report import render
from evaluator.spec import SpecError, load_challenge
from evaluator.terminal import Console, say, say_json


def report_command(
    challenge: Annotated[Path, typer.Option("--challenge", help="The challenge file.")],
    reports: Annotated[
        Path,
        typer.Option("--reports", help="Directory of TEAM/TRACK/BOARD.json, as `score --json` writes them."),
    ],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")],
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration", help="What `calibrate --json` wrote of these reports: shown beside them."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
    overlay: Annotated[Path | None, typer.Option("--overlay", help="A site's file merged over it.")] = None,
) -> None:
    """Write one self-contained HTML file with tables and plots of all results.

    It loads nothing: it can be mailed, archived, read offline and printed. The directory may hold `teams.csv` with the
    columns team, is_baseline and eligible; a baseline is shown without a place.

    Exit codes: 0 written, 1 the reports do not fit together, 2 the call or the challenge file is wrong, 3 in one of
    them a metric failed (score that entry again).
    """
    try:
        refuse_unwritable("--out", out)
        spec = load_challenge(challenge, overlay)
        entrants = read_entrants(spec, reports)
        measured = None if calibration is None else _calibration(calibration)
        with Console(stderr=True).status("Testing pairs of teams") if sys.stderr.isatty() else nullcontext():
            page = render(spec, entrants, measured)
        out.write_text(page, encoding="utf-8")
    except (SpecError, UnknownMetric, OSError) as error:
        raise ended(error, 2) from None
    except RankingError as error:
        raise ended(error, 3 if isinstance(error, ScorerFailed) else 1) from None
    size = len(page.encode())
    count = sum(len(entrant.reports) for entered in entrants.values() for entrant in entered)
    if as_json:
        say_json({"file": str(out), "reports": count, "bytes": size}, indent=None)
    else:
        say(f"{out}: {count} reports, {size / 1024:.0f} KiB")


def _calibration(path: Path) -> CalibrationFile:
    refuse_no_file("--calibration", path, "`calibrate --json`")
    try:
        return CalibrationFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise typer.BadParameter(
            f"{path}: not what `calibrate --json` writes: {field}: {first['msg']}"
        ) from None
