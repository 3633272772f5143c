"""What is sent and answered of reference submissions. For organizers: values of the labels themselves are in it."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from contract.answers import Answer, Id
from contract.texts import Name


class ReferenceState(StrEnum):
    """Where a reference submission stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # by the platform's fault, or labels that cannot be read: `trouble` says which


class ReferenceSubmissionIn(BaseModel):
    """Which phase and task to try; each that is left out means all with cases."""

    phase: Name | None = None
    task: Name | None = None


class ReferenceJudgement(Answer):
    """One thing that was expected of a way to answer: of the whole where board and metric are null."""

    variant: str
    board: str | None
    metric: str | None
    expected: str
    found: str
    as_expected: bool


class ReferenceSubmissionOut(Answer):
    """What became of outputs that the platform made itself, on one task of a phase.

    version and dataset: digests; `in_force`: whether both still are. as_expected: null until it is done. trouble: why
    it failed.
    """

    id: Id
    phase: str
    task: str
    version: str
    dataset: str
    in_force: bool
    state: ReferenceState
    as_expected: bool | None
    trouble: str | None
    evaluator: str | None
    asked_by: str
    asked_at: datetime
    ended_at: datetime | None
    judgements: list[ReferenceJudgement]
