"""What standard input and output are: a terminal with a person before it, or a pipe, a file, a dumb terminal."""

import os
import sys

from client.errors import Unanswered, WrongUsage
from evaluator.terminal import ask


def is_plain() -> bool:
    """Whether tables and help should have no lines drawn around them."""
    return not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("dumb", "unknown")


def secret(what: str, *, twice: bool = False) -> str:
    """What a person types unseen, or the next line of a pipe.

    Raises:
        Unanswered: the pipe has no line left.
        WrongUsage: the second line differs.
    """
    if sys.stdin.isatty():
        return ask(what, unseen=True, twice=twice)
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise Unanswered
    if twice and sys.stdin.readline().rstrip("\r\n") != given:
        raise WrongUsage("It is asked for twice, and the two lines differ.")
    return given
