"""What standard input and output are: a terminal with a person before it, or a pipe, a file, a dumb terminal."""

import os
import sys
from typing import TextIO

import typer
from rich.console import Console

from client.errors import Usage

_WIDE = 180


def is_plain() -> bool:
    """Whether tables and help should have no lines drawn around them."""
    return not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("dumb", "unknown")


def console(stream: TextIO, *, stderr: bool = False) -> Console:
    """A console on `stream`; what is no terminal has room for whole rows unless COLUMNS says otherwise."""
    known = stream.isatty() or "COLUMNS" in os.environ
    return Console(stderr=stderr, highlight=False, width=None if known else _WIDE)


def secret(what: str, *, twice: bool = False) -> str:
    """What a person types unseen, or the next line of a pipe.

    Raises:
        Usage: the pipe has no line left, or the second one differs.
    """
    if sys.stdin.isatty():
        typed: str = typer.prompt(what, hide_input=True, confirmation_prompt=twice)
        return typed
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise Usage(
            "Nobody is there to answer.", "Give the answers as options, or a line each on standard input."
        )
    if twice and sys.stdin.readline().rstrip("\r\n") != given:
        raise Usage("It is asked for twice, and the two lines differ.")
    return given
