"""Whether a challenge is ready to open, as it is answered. For its organizers: labels and names of cases are in it."""

from datetime import datetime
from enum import StrEnum

from contract.answers import Answer


class ReadinessState(StrEnum):
    """How what was found is to be taken: somebody should look at a warning, and an error forbids to open."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class ReadinessCheck(Answer):
    """One thing that was looked at, of the whole challenge where `phase` and `task` are null.

    code: short and stable. todo: what to do, empty where all is well.
    """

    code: str
    state: ReadinessState
    phase: str | None
    task: str | None
    found: str
    todo: str


class ChallengeReadiness(Answer):
    """Everything that was looked at, in the order in which a person would mend it."""

    challenge: str
    at: datetime
    errors: int
    warnings: int
    checks: list[ReadinessCheck]
