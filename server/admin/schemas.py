"""What lists for admins give: pages of people, teams and evaluations, and one evaluation with all of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

Item = TypeVar("Item", bound=BaseModel)


class Page(BaseModel, Generic[Item]):
    """One page of a list. `next` goes into `after` for the following one; null where nothing follows."""

    items: Sequence[Item]
    next: UUID | None


class TeamName(BaseModel):
    """A team somebody is in."""

    id: UUID
    challenge: str
    name: str
    is_captain: bool


class PersonOut(BaseModel):
    """A person. `last_log_in`: when a session began; `last_seen`: that, or what they last changed."""

    id: UUID
    email: str
    name: str
    is_admin: bool
    teams: list[TeamName]
    last_log_in: datetime | None
    last_seen: datetime | None
    created_at: datetime


class AdminIn(BaseModel):
    """Whether a person is an admin."""

    is_admin: bool


class TeamMember(BaseModel):
    """A person in a team."""

    id: UUID
    email: str
    name: str
    is_captain: bool


class TeamRow(BaseModel):
    """A team. `standing` says in a word or two how it stands; `spent` and `active`: attempts on all tasks together."""

    id: UUID
    challenge: str
    name: str
    standing: str
    eligible: bool
    is_baseline: bool
    disclaimer: str | None
    disqualified: str | None
    members: list[TeamMember]
    submissions: int
    spent: int
    active: int
    created_at: datetime


class EvaluationRow(BaseModel):
    """A submission on one task."""

    id: UUID
    submission: UUID
    challenge: str
    team: str
    phase: str
    track: str
    task: str
    status: str
    reason_code: str | None
    created_at: datetime
    finished_at: datetime | None


class CaseShown(BaseModel):
    """One case of it. `name` is given on the server's own host only; `has_log`: its container wrote something."""

    case: str
    name: str | None
    status: str
    verdict: str | None
    message: str | None
    worker: str | None
    mode: str | None
    seconds: float | None
    peak_memory_bytes: int | None
    faults: int
    has_log: bool


class ScoreShown(BaseModel):
    """One metric of one board."""

    board: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    reason: str | None


class EvaluationShown(EvaluationRow):
    """A submission on one task, with everything that explains what became of it.

    `reason` is what its team reads, `trouble` what the platform met, which is for admins alone.
    """

    reason: str | None
    trouble: str | None
    submitted_by: str | None
    image: str
    image_bytes: int
    dataset: str
    spec: str
    evaluator: str | None
    priority: int
    started_at: datetime | None
    verdicts: dict[str, int]
    cases: list[CaseShown]
    scores: list[ScoreShown]
