"""Whether a challenge is ready to open, as it is answered. For its organizers: labels and names of cases are in it."""

from datetime import datetime

from contract.answers import Answer
from contract.phases import CheckState


class ReadinessCheck(Answer):
    """One thing that was looked at, of the whole challenge where `phase` and `task` are null.

    code: short and stable. todo: what to do, empty where all is well.
    """

    code: str
    state: CheckState
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
