"""The commands of `python -m evaluator`."""

import io
import sys

import typer

from evaluator.cli._ending import ended
from evaluator.cli.calibrate import calibrate_command
from evaluator.cli.check import check_command
from evaluator.cli.rank import rank_command
from evaluator.cli.recompute import recompute_command
from evaluator.cli.report import report_command
from evaluator.cli.score import score_command
from evaluator.terminal import CommandGroup

_HELP = """Check outputs, score them, rank scores, report, simulate what was reported, recompute a bundle.

Exit code 0: done. 1: the outputs or scores are not acceptable. 2: the call, the challenge file or the data are wrong.
Each command's help says more.
"""

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, add_completion=False, help=_HELP)
app.command("check")(check_command)
app.command("score")(score_command)
app.command("rank")(rank_command)
app.command("report")(report_command)
app.command("calibrate")(calibrate_command)
app.command("recompute")(recompute_command)


def main(prog_name: str = "proctor-evaluator") -> None:
    """Entry point of the installed command; where standard output takes no more, that is said and the code is 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that a terminal cannot print are no fault
    try:
        app(prog_name=prog_name)
    except OSError as error:
        raise SystemExit(ended(error, 2).exit_code) from None
