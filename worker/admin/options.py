"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Server = Annotated[
    str | None,
    typer.Option(
        help="The address of another server; PROCTOR_TOKEN is your token there.", envvar="PROCTOR_SERVER"
    ),
]
Reason = Annotated[
    str | None,
    typer.Option(
        "--why", help="Why; everybody reads it where a phase that has opened is amended.", metavar="REASON"
    ),
]
Data = Annotated[Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")]
ChallengeArgument = Annotated[str, typer.Argument(help="The challenge's name.")]
PhaseArgument = Annotated[str, typer.Argument(help="The phase's name.")]
Why = Annotated[str | None, typer.Option(help="Why; everybody reads it.", metavar="REASON")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
