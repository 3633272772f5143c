"""What an import finds: errors, which end it, warnings, which an organizer has to accept, and notes, which say more."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_SHOWN = 5


@dataclass
class Findings:
    """Sentences that name file, line or case, in the order in which they were found, without the folder `below`."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    below: str = ""

    def error(self, place: object, what: str) -> None:
        """Something that has to be mended before anything is imported."""
        self.errors.append(self._sentence(place, what))

    def warn(self, place: object, what: str) -> None:
        """Something that may be meant so, and is imported only when that was said."""
        self.warnings.append(self._sentence(place, what))

    def note(self, place: object, what: str) -> None:
        """Something worth knowing that no other data would be meant by."""
        self.notes.append(self._sentence(place, what))

    def _sentence(self, place: object, what: str) -> str:
        where = str(place)
        return printable(f"{where.removeprefix(self.below)}: {what}")


class LayoutError(Exception):
    """Cases that cannot be imported; `problems` lists everything that is wrong, `warnings` what is odd besides."""

    def __init__(self, problems: list[str], warnings: Iterable[str] = ()) -> None:
        self.problems = [printable(problem) for problem in problems]
        self.warnings = tuple(printable(warning) for warning in warnings)
        super().__init__("\n".join([*self.problems, *self.warnings]))


def printable(text: str) -> str:
    """The text as it can be shown anywhere: what is no printable character is written as an escape."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def some(names: Iterable[object]) -> str:
    """The first few of many names, and how many more there are."""
    every = [str(name) for name in names]
    more = len(every) - _SHOWN
    return ", ".join(every[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def no_file(path: Path) -> str:
    """What stands where a file should, as a predicate."""
    return "is a link to nothing" if path.is_symlink() and not path.exists() else "is no file"


def named(path: Path) -> str:
    """A path inside a Task_N folder, as messages begin with."""
    return printable(str(path))
