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
Data = Annotated[Path | None, typer.Option(help="The installation's directory.", envvar="PROCTOR_DATA")]
