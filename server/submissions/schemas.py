"""What the API takes and says of submissions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from contract.bounds import Few
from contract.texts import Name

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]

MOST_TASKS = 50
"""Tasks that one submission may name."""


class SubmissionIn(BaseModel):
    """An image per task. `team` may be left out by a user with one team in the challenge."""

    team: UUID | None = None
    track: Name
    phase: Name
    images: Annotated[dict[Name, Digest], Few(MOST_TASKS, least=1)]


class ScoreOut(BaseModel):
    """A metric's value with its interval, or the reason why there is none. note: what is to be said of the interval."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None
    note: str | None = None


class EvaluationOut(BaseModel):
    """What a participant may know of an evaluation.

    `progress` counts tenths. `failure`: the commonest class of failure of one that was rejected. `verdicts` counts
    cases per verdict. On hidden phases progress moves in quarters, starts and ends are shown on a grid of moments, and
    verdicts are counted for scored evaluations alone.
    """

    id: UUID
    task: str
    image: str
    status: str
    reason_code: str | None
    reason: str | None
    failure: str | None = None
    cases: int
    progress: int
    note: str | None
    verdicts: dict[str, int]
    scores: dict[str, dict[str, ScoreOut]]
    created_at: datetime
    finished_at: datetime | None


class SubmissionOut(BaseModel):
    """A submission and its evaluations; of `hidden` cases what happens shows late and in steps."""

    id: UUID
    challenge: str
    team: UUID
    track: str
    phase: str
    hidden: bool
    created_at: datetime
    evaluations: list[EvaluationOut]


class QuotaOut(BaseModel):
    """Valid attempts of a team on one task, track and phase; `valid` None means without limit.

    `rejected` of at most `rejected_per_week` (None: without limit) were rejected in the last seven days, or cancelled
    after they began, on this task and phase whatever the track. `rejected_left` leaves out what is under way, which may
    be rejected yet; where it is 0, `rejected_next_at` is when the oldest of them is a week old.
    """

    task: str
    track: str
    phase: str
    valid: int | None
    spent: int
    reserved: int
    left: int | None
    rejected_per_week: int | None
    rejected: int
    rejected_left: int | None
    rejected_next_at: datetime | None
