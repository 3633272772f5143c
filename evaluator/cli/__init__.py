"""The commands of `python -m evaluator`."""

import typer

from evaluator.cli.check import check_command
from evaluator.cli.rank import rank_command
from evaluator.cli.report import report_command
from evaluator.cli.score import score_command

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Check outputs, score them, rank scores, report."
)
app.command("check")(check_command)
app.command("score")(score_command)
app.command("rank")(rank_command)
app.command("report")(report_command)
