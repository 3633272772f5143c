"""What commands that make a version of the cases say of its warnings and of what is wrong with it."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from contract.datasets import StagedOut
from evaluator.terminal import agreed, say
from worker.admin.api import Refused
from worker.admin.context import fail

_SHOWN = 20


def made_of(make: Callable[[bool], Any], *, accept: bool, nothing: str) -> StagedOut:
    """What `make` answers, which is told whether warnings are accepted; it is asked again where a person says so.

    It ends the command where nothing comes of it: `nothing` says that.
    """
    try:
        return StagedOut.model_validate(make(accept))
    except Refused as refused:
        if refused.code == "cases_refused":
            fail(f"{nothing}:\n" + "\n".join(first(refused.told["errors"])))
        if refused.code != "cases_odd":
            raise
        say(*warned(refused.told["warnings"]), err=True)
        if not (sys.stdin.isatty() and agreed("Go on all the same?")):
            fail(f"{nothing}: mend what the warnings say, or give --accept if it is meant so.")
        return StagedOut.model_validate(make(True))


def warned(warnings: Sequence[str]) -> list[str]:
    """The first of the warnings, a line each."""
    return [f"warning: {line}" for line in first(warnings)]


def noted(notes: Sequence[str]) -> list[str]:
    """The first of the notes, a line each."""
    return [f"note: {line}" for line in first(notes)]


def first(lines: Sequence[str]) -> list[str]:
    """The first of many lines, and how many more there are."""
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"… and {more} more"] if more > 0 else [])]
