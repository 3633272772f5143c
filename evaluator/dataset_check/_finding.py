"""What a check of a dataset says."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """ERROR: no output can be valid, or scoring fails or measures something else. WARNING: somebody should look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a dataset.

    code: short and stable. case: its name in the manifest, None for the whole dataset. message: what is wrong and what
    to do, without the path of a file; it may hold names and labels, so it is for organizers only.
    """

    severity: Severity
    code: str
    case: str | None
    message: str


def error(code: str, message: str, case: str | None = None) -> Finding:
    """A finding that forbids the use of the dataset."""
    return Finding(Severity.ERROR, code, case, message)


def warning(code: str, message: str, case: str | None = None) -> Finding:
    """A finding that somebody should look at."""
    return Finding(Severity.WARNING, code, case, message)
