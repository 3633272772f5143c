"""Statuses of a newer server: one that this version does not know may be an end, and is waited for a while only."""

import time

from contract.statuses import EvaluationStatus
from contract.submissions import SubmissionOut

MINUTES = 10.0
"""How long nothing but unknown statuses is waited for."""
UPDATE = "Update the client with pip"


class Unknown:
    """How long there has been nothing else to wait for."""

    def __init__(self) -> None:
        self._since: float | None = None

    def begins(self, submission: SubmissionOut) -> bool:
        """Whether from now on there is nothing else."""
        if not unknown(submission):
            self._since = None
            return False
        began, self._since = self._since, self._since or time.monotonic()
        return began is None

    def is_over(self) -> bool:
        """Whether it has been waited for long enough."""
        return self._since is not None and time.monotonic() - self._since > MINUTES * 60


def unknown(submission: SubmissionOut) -> str:
    """Which status this version does not know, as a sentence; empty while another is to be waited for."""
    waited_for = [evaluation for evaluation in submission.evaluations if not evaluation.ended]
    if any(isinstance(evaluation.status, EvaluationStatus) for evaluation in waited_for):
        return ""
    tasks = ", ".join(f"{evaluation.task} is {evaluation.status!r}" for evaluation in waited_for)
    return f"{tasks}: a status that this version does not know." if tasks else ""


def notice(submission: SubmissionOut) -> str:
    """What is said when it begins."""
    may_end = f"It may be an end, so it is waited for {MINUTES:g} minutes at most."
    return f"{unknown(submission)} {may_end} {UPDATE}."
