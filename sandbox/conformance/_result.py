"""What a check of the suite says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """Whether a check held for this profile and runtime; `detail` says what could be done if it did not."""

    name: str
    denied: str
    held: bool
    detail: str
    profile: str
    runtime: str
