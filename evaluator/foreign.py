"""Objects of packages that are not ours, found by entry point or by name: their modules may do and print anything."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import entry_points
from pkgutil import resolve_name
from threading import RLock
from typing import Any


class Unusable(Exception):
    """A module cannot be imported, or has no such object; the message is a predicate."""


def names(group: str) -> list[str]:
    """The names of the entry points of a group."""
    return sorted({entry.name for entry in entry_points(group=group)})


def installed(group: str, name: str) -> Any:
    """The object that the entry point `name` of a group leads to.

    Raises:
        LookupError: there is no such entry point.
        Unusable: it leads to nothing.
    """
    for entry in entry_points(group=group, name=name):
        return _loaded(entry.load)
    raise LookupError(f"{group} has no entry point {name!r}")


def named(place: str) -> Any:
    """The object at `package.module:name`.

    Raises:
        Unusable: there is none.
    """
    return _loaded(lambda: resolve_name(place))


def _loaded(load: Callable[[], Any]) -> Any:
    import numpy as np  # here, for most commands load nothing foreign and are to answer soon

    try:
        with _IMPORTING, _no_output(), np.errstate():  # a module's np.seterr stays its own
            return load()
    except KeyboardInterrupt:  # whoever waits may press Ctrl-C
        raise
    except BaseException as error:  # noqa: BLE001 - a stranger's module may raise anything
        raise Unusable(f"cannot be imported: {type(error).__name__}: {error}") from None


_IMPORTING = RLock()  # two threads that redirect at once would restore the wrong one


@contextmanager
def _no_output() -> Iterator[None]:
    """What a module prints goes to standard error: standard output may be a report, to be read by a program."""
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        kept = None
    try:
        if kept is not None:
            os.dup2(2, 1)  # for what is written past Python, or by a command that the module runs
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)
