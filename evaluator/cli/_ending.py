"""How a command ends that cannot do what was asked: one sentence on standard error, and a code."""

import contextlib
import os
import sys

import typer

from evaluator.terminal import say


def ended(error: Exception, code: int) -> typer.Exit:
    """Says `error` and gives the exit to raise; of the system's errors it names the file and what is the matter."""
    say(_sentence(error), err=True)
    _drop_what_cannot_be_written()
    return typer.Exit(code)


def _drop_what_cannot_be_written() -> None:
    """The interpreter writes what is left at its end, and an error there would become the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of ours
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
