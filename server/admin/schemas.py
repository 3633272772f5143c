"""What lists for admins give: pages of people, teams and evaluations, and one evaluation with all of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, StrictBool

from contract.texts import Line

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
    """A person. `last_log_in`: when a session began; `last_seen`: that, or what they last changed.

    `closed_at`, `closed_why`: since when and why the account is closed, null while it is open.
    """

    id: UUID
    email: str
    name: str
    is_admin: bool
    teams: list[TeamName]
    last_log_in: datetime | None
    last_seen: datetime | None
    closed_at: datetime | None
    closed_why: str | None
    created_at: datetime


class ClosingIn(BaseModel):
    """Why an account is closed, for the organizers' records; `workers`: run workers' tokens they made end too."""

    why: Annotated[str, Line(500, strip=True)] | None = None
    workers: bool = False


class EndedOut(BaseModel):
    """How many sessions, API tokens and run workers' tokens ended."""

    sessions: int
    tokens: int
    workers: int


class AdminIn(BaseModel):
    """Whether a person is an admin."""

    is_admin: StrictBool


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


class TotalOut(BaseModel):
    """How many cases or images were read, in how many files and bytes, and when first and last."""

    count: int
    files: int
    bytes: int
    first_at: datetime | None
    last_at: datetime | None


class WorkerRow(BaseModel):
    """A run worker's token without its secret; what its slots did together, and what was sent to it.

    A case that its slots did not finish was handed back, abandoned (its lease ran out), or faulted (the worker named a
    fault of the platform). `warnings`: slots that return too much of what they are leased, or hold it too long.
    `made_by`: the admin who made the token over HTTP.
    """

    id: UUID
    name: str
    created_at: datetime
    issued_at: datetime
    revoked_at: datetime | None
    made_by: UUID | None
    most_slots: int
    slots_present: int
    seen_at: datetime | None
    running: int
    finished: int
    handed_back: int
    abandoned: int
    faulted: int
    warnings: list[str]
    cases_read: TotalOut
    images_read: TotalOut


class TaskReadOut(TotalOut):
    """What a token has read of the cases of one task of one phase."""

    challenge: str
    phase: str
    task: str


class ReadOut(BaseModel):
    """A case or an image that a token has read, by its id."""

    subject: str
    id: UUID
    files: int
    bytes: int
    first_at: datetime
    last_at: datetime


class WorkerReads(BaseModel):
    """What a token has read: by task, and every case and image, the first 10,000."""

    tasks: list[TaskReadOut]
    read: list[ReadOut]


class AnsweredOut(BaseModel):
    """An evaluation in which a token answered `cases` of `cases_of`: to be run again where it cannot be trusted."""

    evaluation: UUID
    submission: UUID
    challenge: str
    team: str
    phase: str
    track: str
    task: str
    status: str
    cases: int
    cases_of: int
    first_at: datetime
    last_at: datetime


class RevokedOut(BaseModel):
    """What a revoked token held, now back in the queue, and the evaluations in which it answered cases."""

    put_back: int
    answered: list[AnsweredOut]
