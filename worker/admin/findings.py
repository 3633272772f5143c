"""What `proctor-admin doctor` says of one thing that it looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Profile(StrEnum):
    """A profile of the container options."""

    COMPATIBLE = "compatible"
    STRICT = "strict"


class FindingState(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARN = "warning"
    FAIL = "error"


@dataclass(frozen=True)
class DoctorFinding:
    """One thing looked at: what was found, and what to do about it unless it is fine."""

    subject: str
    state: FindingState
    found: str
    remedy: str = ""
