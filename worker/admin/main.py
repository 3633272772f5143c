"""`proctor-admin`: every module of this package that has an `app` adds its commands."""

import importlib.util
import os
import sys
from typing import Annotated

import typer

from contract.release import named
from evaluator.terminal import Console
from worker.admin.commands import Commands

_NEEDED = ("sqlalchemy", "celery")  # one that only the server needs, one that only the worker needs


def collect() -> typer.Typer:
    """The program with the commands of all modules beside this one; each is imported when it is invoked."""
    program = typer.Typer(
        name="proctor-admin",
        cls=Commands,
        help="Run and look after a Proctor installation.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None if _is_plain() else "rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    program.callback()(_every_command)
    return program


def _is_plain() -> bool:
    """Whether help should have no boxes: in a pipe, a file, or a terminal that can only print."""
    seen = sys.stdout.isatty() and sys.stderr.isatty()
    return not seen or os.environ.get("TERM", "dumb") in ("dumb", "unknown")


def _print_version(wanted: bool) -> None:
    if wanted:
        Console().print(named("proctor-admin"), soft_wrap=True)
        raise typer.Exit


def _every_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Options that stand before a command."""


def main() -> None:
    """Entry point of the `proctor-admin` command; exit code 2 where only the client is installed."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        sys.stderr.write("proctor-admin needs the server's packages: pip install '.[server,worker]'\n")
        sys.exit(2)
    collect()()
